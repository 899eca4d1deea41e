// golayout writes the tables that let the sampler read a Go program from outside:
// sampler/go/layout_table.c (offsets of fields) and sampler/go/recipe_table.c (which functions of
// the runtime mention which of its variables, and where). regen.sh beside it builds the programs
// that are looked at and calls it.
//
//	golayout -root REPOSITORY -bin FOLDER VERSION[@FIRST_PATCH] ...
//
// FOLDER holds VERSION-amd64-plain, -amd64-pie, -amd64-bare (no pprof) and the same of arm64 for each
// version. FIRST_PATCH is the first patch release whose structures are those of VERSION (default 0).
// Recipes are written for the highest patch of each minor. The same programs give the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

type release struct {
	name         string // "go1.26.8"
	minor, patch int
	firstPatch   int
	offsets      []int64 // in the order of the fields
}

func parseRelease(arg string) (release, error) {
	name, first, hasFirst := strings.Cut(arg, "@")
	parts := strings.Split(strings.TrimPrefix(name, "go"), ".")
	r := release{name: name}
	var err error
	if len(parts) < 2 || parts[0] != "1" {
		return r, fmt.Errorf("%q is no release like go1.26.8", arg)
	}
	if r.minor, err = strconv.Atoi(parts[1]); err != nil {
		return r, err
	}
	if len(parts) > 2 {
		if r.patch, err = strconv.Atoi(parts[2]); err != nil {
			return r, err
		}
	}
	if hasFirst {
		r.firstPatch, err = strconv.Atoi(first)
	}
	return r, err
}

func run(root, bin string, args []string) error {
	fields, err := readFields(filepath.Join(root, "sampler/go/layout.h"))
	if err != nil {
		return err
	}
	var releases []release
	for _, arg := range args {
		r, err := parseRelease(arg)
		if err != nil {
			return err
		}
		if r.offsets, err = layoutOf(filepath.Join(bin, r.name+"-amd64-plain"), fields); err != nil {
			return err
		}
		arm, err := layoutOf(filepath.Join(bin, r.name+"-arm64-plain"), fields)
		if err != nil {
			return err
		}
		for i := range fields {
			if r.offsets[i] != arm[i] {
				return fmt.Errorf("%s: %s is %d on amd64 and %d on arm64: the table needs a column for it",
					r.name, fields[i].name, r.offsets[i], arm[i])
			}
		}
		releases = append(releases, r)
	}
	sort.Slice(releases, func(i, j int) bool {
		a, b := releases[i], releases[j]
		return a.minor < b.minor || a.minor == b.minor && a.firstPatch < b.firstPatch
	})
	var recipes []recipe
	for _, machine := range []string{"amd64", "arm64"} {
		for i, r := range releases {
			if i+1 < len(releases) && releases[i+1].minor == r.minor {
				continue
			}
			more, err := recipesOf(r.minor, filepath.Join(bin, r.name+"-"+machine+"-"))
			if err != nil {
				return err
			}
			recipes = append(recipes, more...)
		}
	}
	if err := writeLayouts(filepath.Join(root, "sampler/go/layout_table.c"), fields, releases); err != nil {
		return err
	}
	return writeRecipes(filepath.Join(root, "sampler/go/recipe_table.c"), recipes)
}

func main() {
	root := flag.String("root", "../..", "the repository")
	bin := flag.String("bin", "", "folder of the built programs")
	flag.Parse()
	if err := run(*root, *bin, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "golayout:", err)
		os.Exit(1)
	}
}
