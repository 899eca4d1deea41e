package main

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
)

// The variables of the runtime that the sampler wants to find in programs without symbols.
var variables = []string{
	"allgs", "allglen", "allgptr", "mbuckets", "bbuckets", "xbuckets", "MemProfileRate",
	"mProfCycle", "blockprofilerate", "mutexprofilerate", "memstats", "mheap_", "gcController",
	"sched", "allm", "allp", "work", "waitReasonStrings", "buildVersion", "ticks",
	"mProf", // Go 1.18 alone: later ones have mProfCycle
}

// functionsMax is how many functions a variable gets: enough votes, small tables.
const functionsMax = 10

type reference struct {
	at     int // ModRM byte or ADRP, from the function's entry
	inside int // what it points at, from the variable's start
	kinds  int // the ways to build that have it there: kindPlain, kindPIE
}

// Code for PIE differs a little, so that what is one variable in the one may stand at another's
// place in the other.
const (
	kindPlain = 1
	kindPIE   = 2
)

// recipe: this function mentions this variable at these places.
type recipe struct {
	machine            elf.Machine
	minor              int
	variable, function string
	always             bool // also there in a program without pprof
	references         []reference
	bytes              uint64 // of the function: small ones are preferred
	order              int    // of its first reference in the text: ties go to the lower address
}

// immediateBytes says how many bytes of immediate follow the displacement of the instruction whose
// ModRM byte is code[m], or -1 when the bytes before it are no opcode that is known here to take a
// ModRM operand (Intel SDM volume 2, appendix A). sampler/go/operands.c has the same rule.
func immediateBytes(code []byte, m int) int {
	if m < 4 {
		return -1
	}
	op, before, group := code[m-1], code[m-2], code[m]>>3&7
	if before == 0x0F {
		switch {
		case strings.IndexByte("\xA4\xAC\xBA\xC2\xC6", op) >= 0:
			return 1
		case op&0xF0 == 0x40, op&0xF0 == 0x90,
			strings.IndexByte("\x10\x11\x12\x13\x16\x17\x18\x28\x29\x2A\x2E\x2F\x58\x59\x5C\x5E"+
				"\x6E\x6F\x7E\x7F\xA3\xAB\xAF\xB0\xB1\xB3\xB6\xB7\xBE\xBF\xC0\xC1\xD6", op) >= 0:
			return 0
		}
	}
	word := before == 0x66 || before&0xF0 == 0x40 && code[m-3] == 0x66
	switch op {
	case 0x6B, 0x80, 0x83, 0xC0, 0xC1, 0xC6:
		return 1
	case 0x69, 0x81, 0xC7:
		if word {
			return 2
		}
		return 4
	case 0xF6, 0xF7:
		if group >= 2 {
			return 0
		}
		if op == 0xF6 {
			return 1
		}
		return 4
	case 0x10, 0x28, 0x6F, 0x7E, 0x7F, 0xD6: // these only with a VEX prefix
		if code[m-3] == 0xC5 || code[m-4] == 0xC4 {
			return 0
		}
		return -1
	}
	if strings.IndexByte("\x01\x03\x09\x0B\x11\x13\x19\x1B\x21\x23\x29\x2B\x31\x33\x38\x39\x3A\x3B"+
		"\x63\x84\x85\x86\x87\x88\x89\x8A\x8B\x8D\xD1\xD3\xFE\xFF", op) >= 0 {
		return 0
	}
	return -1
}

type program struct {
	machine   elf.Machine
	functions []elf.Symbol // by address
	variables map[string]elf.Symbol
	text      []byte
	textAddr  uint64
}

func openProgram(name string) (*program, error) {
	file, err := elf.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	section := file.Section(".text")
	if section == nil {
		return nil, fmt.Errorf("%s: no .text", name)
	}
	p := &program{machine: file.Machine, variables: map[string]elf.Symbol{}, textAddr: section.Addr}
	if p.text, err = section.Data(); err != nil {
		return nil, err
	}
	for _, s := range symbols {
		switch elf.ST_TYPE(s.Info) {
		case elf.STT_FUNC:
			p.functions = append(p.functions, s)
		case elf.STT_OBJECT:
			if short, ok := strings.CutPrefix(s.Name, "runtime."); ok {
				p.variables[short] = s
			}
		}
	}
	sort.Slice(p.functions, func(i, j int) bool {
		a, b := p.functions[i], p.functions[j]
		return a.Value < b.Value || a.Value == b.Value && a.Name < b.Name
	})
	return p, nil
}

// at finds the function that covers an address.
func (p *program) at(addr uint64) *elf.Symbol {
	i := sort.Search(len(p.functions), func(i int) bool { return p.functions[i].Value > addr }) - 1
	if i < 0 || addr >= p.functions[i].Value+p.functions[i].Size {
		return nil
	}
	return &p.functions[i]
}

type key struct{ variable, function string }

// operands calls found with each place in the text that names an address: where it is, and the
// address. What a place is depends on the machine; the sampler's operands.c has the same rules.
func (p *program) operands(found func(at, target uint64)) {
	if p.machine == elf.EM_AARCH64 {
		p.operandsARM64(found)
		return
	}
	for m := 4; m+5 < len(p.text); m++ {
		if p.text[m]&0xC7 != 5 { // mod 00, rm 101: relative to the instruction pointer
			continue
		}
		immediate := immediateBytes(p.text, m)
		if immediate < 0 {
			continue
		}
		displacement := int64(int32(binary.LittleEndian.Uint32(p.text[m+1:])))
		at := p.textAddr + uint64(m)
		found(at, at+uint64(5+immediate)+uint64(displacement))
	}
}

// operandsARM64: ADRP makes the address of a 4 KiB page, and the instruction after it, which takes
// the same register as its base, adds the rest: ADD (immediate), or LDR and STR with an unsigned
// offset (Arm ARM, C6.2; cmd/internal/obj/arm64/asm7.go emits the two as one).
func (p *program) operandsARM64(found func(at, target uint64)) {
	for i := 0; i+8 <= len(p.text); i += 4 {
		first, second := binary.LittleEndian.Uint32(p.text[i:]), binary.LittleEndian.Uint32(p.text[i+4:])
		if first&0x9F000000 != 0x90000000 || first&31 != second>>5&31 {
			continue
		}
		offset := uint64(second >> 10 & 0xFFF)
		switch {
		case second&0xFFC00000 == 0x91000000: // ADD Xd, Xn, #imm12
		case second&0x3B000000 == 0x39000000: // LDR, STR Rt, [Xn, #imm12 * size]
			scale := second >> 30
			if second&0x04800000 == 0x04800000 { // 128 bits of a vector register
				scale = 4
			}
			offset <<= scale
		default:
			continue
		}
		at := p.textAddr + uint64(i)
		pages := int64(first>>5&0x7FFFF<<2|first>>29&3) << 43 >> 43
		found(at, at&^0xFFF+uint64(pages<<12)+offset)
	}
}

// addReferences notes every operand that points into one of the variables.
func (p *program) addReferences(into map[key]*recipe, kind int) {
	p.operands(func(at, target uint64) {
		for _, name := range variables {
			v, ok := p.variables[name]
			if !ok || target < v.Value || target >= v.Value+v.Size {
				continue
			}
			f := p.at(at)
			if f == nil || !strings.HasPrefix(f.Name, "runtime.") {
				continue
			}
			k := key{name, f.Name}
			if into[k] == nil {
				into[k] = &recipe{variable: name, function: f.Name, bytes: f.Size, order: len(into)}
			}
			into[k].add(reference{int(at - f.Value), int(target - v.Value), kind})
		}
	})
}

func (r *recipe) add(ref reference) {
	for i, have := range r.references {
		if have.at == ref.at && have.inside == ref.inside {
			r.references[i].kinds |= ref.kinds
			return
		}
	}
	r.references = append(r.references, ref)
}

// recipesOf reads the plain, pie and bare programs whose names begin with prefix. The
// references of both ways to build are merged. For each variable the functions that every program has come
// first, then the smaller ones.
func recipesOf(minor int, prefix string) ([]recipe, error) {
	bare, err := openProgram(prefix + "bare")
	if err != nil {
		return nil, err
	}
	always := map[string]bool{}
	for _, f := range bare.functions {
		always[f.Name] = true
	}
	merged := map[key]*recipe{}
	for i, kind := range []string{"plain", "pie"} {
		p, err := openProgram(prefix + kind)
		if err != nil {
			return nil, err
		}
		p.addReferences(merged, kindPlain<<i)
	}
	var all []recipe
	for _, name := range variables {
		var some []recipe
		for _, r := range merged {
			if r.variable == name {
				r.machine, r.minor, r.always = bare.machine, minor, always[r.function]
				some = append(some, *r)
			}
		}
		sort.Slice(some, func(i, j int) bool { return better(&some[i], &some[j]) })
		for i := 0; i < len(some) && i < functionsMax; i++ {
			refs := some[i].references
			sort.Slice(refs, func(a, b int) bool {
				return refs[a].inside < refs[b].inside || refs[a].inside == refs[b].inside && refs[a].at < refs[b].at
			})
			all = append(all, some[i])
		}
	}
	return all, nil
}

func better(a, b *recipe) bool {
	if a.always != b.always {
		return a.always
	}
	if a.bytes != b.bytes {
		return a.bytes < b.bytes
	}
	return a.order < b.order
}
