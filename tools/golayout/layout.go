package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// field is one X(name, "type", "path") of sampler/go/layout.h.
type field struct {
	name, typ, path string
}

var fieldLine = regexp.MustCompile(`(?s)X\((\w+),\s*"([^"]+)",\s*"([^"]*)"\)`)

func readFields(header string) ([]field, error) {
	text, err := os.ReadFile(header)
	if err != nil {
		return nil, err
	}
	var fields []field
	seen := map[string]bool{}
	for _, m := range fieldLine.FindAllStringSubmatch(string(text), -1) {
		if seen[m[1]] {
			return nil, fmt.Errorf("%s: %s twice", header, m[1])
		}
		seen[m[1]] = true
		fields = append(fields, field{m[1], m[2], m[3]})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s: no fields found", header)
	}
	return fields, nil
}

// structsOf collects the structs of a program's DWARF by name, of those names only.
func structsOf(program string, names map[string]bool) (map[string]*dwarf.StructType, error) {
	file, err := elf.Open(program)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	found := map[string]*dwarf.StructType{}
	reader := data.Reader()
	for {
		entry, err := reader.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		if entry == nil {
			return found, nil
		}
		if entry.Tag == dwarf.TagSubprogram {
			reader.SkipChildren()
		}
		if entry.Tag != dwarf.TagStructType && entry.Tag != dwarf.TagTypedef {
			continue
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		if !names[name] || found[name] != nil {
			continue
		}
		typ, err := data.Type(entry.Offset)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", program, name, err)
		}
		if s := asStruct(typ); s != nil {
			found[name] = s
		}
	}
}

// asStruct looks through typedefs (which Go's DWARF has around named types).
func asStruct(typ dwarf.Type) *dwarf.StructType {
	for {
		switch t := typ.(type) {
		case *dwarf.TypedefType:
			typ = t.Type
		case *dwarf.StructType:
			return t
		default:
			return nil
		}
	}
}

// offsetOf follows one dotted path; -1 when a step does not exist.
func offsetOf(s *dwarf.StructType, path string) int64 {
	offset := int64(0)
	for _, step := range strings.Split(path, ".") {
		if s == nil {
			return -1
		}
		var member *dwarf.StructField
		for _, f := range s.Field {
			if f.Name == step {
				member = f
			}
		}
		if member == nil {
			return -1
		}
		offset += member.ByteOffset
		s = asStruct(member.Type)
	}
	return offset
}

func layoutOf(program string, fields []field) ([]int64, error) {
	names := map[string]bool{}
	for _, f := range fields {
		for _, name := range strings.Split(f.typ, "|") {
			names[name] = true
		}
	}
	structs, err := structsOf(program, names)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, len(fields))
	for i, f := range fields {
		offsets[i] = -1
		for _, name := range strings.Split(f.typ, "|") {
			s := structs[name]
			if s == nil {
				continue
			}
			if f.path == "" {
				offsets[i] = s.ByteSize
			}
			for _, path := range strings.Split(f.path, "|") {
				if offsets[i] < 0 {
					offsets[i] = offsetOf(s, path)
				}
			}
		}
	}
	return offsets, nil
}
