package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
)

const lineColumns = 100

// wrapped joins items with ", " into lines of at most lineColumns.
func wrapped(out *bytes.Buffer, indent string, items []string) {
	line := indent
	for i, item := range items {
		if i+1 < len(items) {
			item += ","
		}
		if len(line) > len(indent) && len(line)+1+len(item) > lineColumns {
			fmt.Fprintln(out, line)
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += item
	}
	fmt.Fprintln(out, line)
}

func head(out *bytes.Buffer, what string, header string) {
	fmt.Fprintf(out, "/*\n * %s\n *\n", what)
	fmt.Fprintf(out, " * Made by tools/golayout/regen.sh: change that and run it again, never this file.\n * Long packed tables, so clang-format has to leave them alone.\n */\n")
	fmt.Fprintf(out, "#include \"sampler/go/%s\"\n\n/* clang-format off */\n", header)
}

func sameOffsets(a, b []int64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func writeLayouts(name string, fields []field, releases []release) error {
	var out bytes.Buffer
	head(&out, "layout_table.c: offsets of the Go runtime's fields, from each toolchain's DWARF.", "layout.h")
	fmt.Fprintf(&out, "const struct go_layout go_layout_table[] = {\n")
	for i, r := range releases {
		if i > 0 && releases[i-1].minor == r.minor && sameOffsets(releases[i-1].offsets, r.offsets) {
			return fmt.Errorf("%s: same structures as %s: leave one of them out", r.name, releases[i-1].name)
		}
		items := []string{
			fmt.Sprintf(".minor = %d", r.minor),
			fmt.Sprintf(".first_patch = %d", r.firstPatch),
			fmt.Sprintf(".made_with = %q", r.name),
		}
		for j, f := range fields {
			items = append(items, fmt.Sprintf(".%s = %d", f.name, r.offsets[j]))
		}
		fmt.Fprintf(&out, "    {\n")
		wrapped(&out, "        ", items)
		fmt.Fprintf(&out, "    },\n")
	}
	fmt.Fprintf(&out, "};\n\nconst size_t go_layout_count = sizeof(go_layout_table) / sizeof(go_layout_table[0]);\n")
	return os.WriteFile(name, out.Bytes(), 0o644)
}

// machines as <elf.h> calls them, and as Go does.
var machines = map[elf.Machine][2]string{elf.EM_X86_64: {"EM_X86_64", "amd64"}, elf.EM_AARCH64: {"EM_AARCH64", "arm64"}}

// writeRecipes: one row a (machine, version, variable, function), its references in a second table.
func writeRecipes(name string, recipes []recipe) error {
	var out bytes.Buffer
	var refs []string
	head(&out, "recipe_table.c: which functions of the Go runtime mention which of its variables.", "recipe.h")
	fmt.Fprintf(&out, "const struct go_recipe go_recipe_table[] = {\n")
	last := ""
	for _, r := range recipes {
		machine := machines[r.machine]
		if part := fmt.Sprintf("%s 1.%d %s", machine[1], r.minor, r.variable); part != last {
			last = part
			fmt.Fprintf(&out, "    /* %s */\n", part)
		}
		fmt.Fprintf(&out, "    {%s, %d, %q, %q, %d, %d},\n", machine[0], r.minor, r.variable, r.function, len(refs), len(r.references))
		for _, ref := range r.references {
			if ref.at > 0xFFFF {
				return fmt.Errorf("%s: reference at %d does not fit", r.function, ref.at)
			}
			refs = append(refs, fmt.Sprintf("{%d, %d, %d}", ref.at, ref.kinds, ref.inside))
		}
	}
	if len(refs) > 0xFFFF {
		return fmt.Errorf("%d references do not fit", len(refs))
	}
	fmt.Fprintf(&out, "};\n\nconst size_t go_recipe_count = sizeof(go_recipe_table) / sizeof(go_recipe_table[0]);\n\n")
	fmt.Fprintf(&out, "const struct go_recipe_ref go_recipe_refs[] = {\n")
	wrapped(&out, "    ", refs)
	fmt.Fprintf(&out, "};\n\nconst size_t go_recipe_ref_count = sizeof(go_recipe_refs) / sizeof(go_recipe_refs[0]);\n")

	return os.WriteFile(name, out.Bytes(), 0o644)
}
