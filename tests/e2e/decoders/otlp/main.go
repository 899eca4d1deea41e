// otlp FILE...: what is in OTLP profiles requests (bodies, packed by gzip), read with
// OpenTelemetry's own module, as JSON like push's. Beyond what the decoder takes it checks what the
// proto's text demands: zero elements, indices in range, one value a sample.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	collector "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	profiles "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type result struct {
	Labels    map[string]string `json:"labels"`
	Durations map[string]uint64 `json:"durations"`
	Periods   map[string]string `json:"periods"`
	IDs       []string          `json:"ids"`
	Sums      map[string]int64  `json:"sums"`
	Links     []string          `json:"links"`
	Build     []string          `json:"build"`
	Comments  string            `json:"comments"`
}

var noLabels bool

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func check(err error, what string) {
	if err != nil {
		die("%s: %v", what, err)
	}
}

func known(m protoreflect.Message) {
	if len(m.GetUnknown()) > 0 {
		die("%s has unknown fields", m.Descriptor().FullName())
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsMap() {
			return true
		}
		if fd.IsList() {
			for i := 0; i < v.List().Len(); i++ {
				known(v.List().Get(i).Message())
			}
		} else {
			known(v.Message())
		}
		return true
	})
}

func zero[M proto.Message](table []M, what string) {
	if len(table) == 0 {
		die("%s is empty", what)
	}
	if proto.Size(table[0]) != 0 {
		die("%s[0] is not the zero element", what)
	}
	for i, m := range table[1:] {
		if what != "mapping_table" && proto.Size(m) == 0 {
			die("%s[%d] is a zero element", what, i+1)
		}
	}
}

func at[T any](table []T, i int32, what string) T {
	if i < 0 || int(i) >= len(table) {
		die("%s has no [%d]", what, i)
	}
	return table[i]
}

func valueOf(v *common.AnyValue) string {
	switch v.Value.(type) {
	case *common.AnyValue_StringValue:
		return v.GetStringValue()
	case *common.AnyValue_IntValue:
		return fmt.Sprint(v.GetIntValue())
	}
	die("an attribute that is neither text nor number")
	return ""
}

type reader struct {
	d *profiles.ProfilesDictionary
	r *result
}

func (x reader) attributes(indices []int32) map[string]string {
	all := map[string]string{}
	for _, i := range indices {
		if i == 0 {
			die("attribute 0 is used")
		}
		a := at(x.d.AttributeTable, i, "attribute_table")
		key := at(x.d.StringTable, a.KeyStrindex, "string_table")
		if _, ok := all[key]; ok {
			die("attribute %s twice", key)
		}
		all[key] = valueOf(a.Value)
	}
	return all
}

func (x reader) stack(i int32) string {
	var frames []string
	for _, l := range at(x.d.StackTable, i, "stack_table").LocationIndices {
		location := at(x.d.LocationTable, l, "location_table")
		if l == 0 {
			die("location 0 is used")
		}
		at(x.d.MappingTable, location.MappingIndex, "mapping_table")
		if len(location.Lines) == 0 {
			frames = append(frames, fmt.Sprintf("%#x", location.Address))
		}
		for _, line := range location.Lines {
			f := at(x.d.FunctionTable, line.FunctionIndex, "function_table")
			at(x.d.StringTable, f.SystemNameStrindex, "string_table")
			at(x.d.StringTable, f.FilenameStrindex, "string_table")
			frames = append(frames, fmt.Sprintf("%s:%d", at(x.d.StringTable, f.NameStrindex, "string_table"), line.Line))
		}
	}
	return strings.Join(frames, ";")
}

func (x reader) labels(s *profiles.Sample) string {
	var all []string
	for k, v := range x.attributes(s.AttributeIndices) {
		all = append(all, strings.TrimPrefix(k, "process.context.label.")+"="+v)
	}
	if s.LinkIndex != 0 {
		l := at(x.d.LinkTable, s.LinkIndex, "link_table")
		if len(l.TraceId) != 16 || len(l.SpanId) != 8 {
			die("a link of %d and %d bytes", len(l.TraceId), len(l.SpanId))
		}
		x.r.Links = append(x.r.Links, hex.EncodeToString(l.TraceId)+"/"+hex.EncodeToString(l.SpanId))
		all = append(all, "span_id="+hex.EncodeToString(l.SpanId), "trace_id="+hex.EncodeToString(l.TraceId))
	}
	if noLabels {
		return ""
	}
	sort.Strings(all)
	return strings.Join(all, ",")
}

func (x reader) profile(p *profiles.Profile) {
	text := func(i int32) string { return at(x.d.StringTable, i, "string_table") }
	name := text(p.SampleType.TypeStrindex) + "/" + text(p.SampleType.UnitStrindex)
	if _, ok := x.r.Periods[name]; !ok {
		x.r.Periods[name] = fmt.Sprintf("%s/%s %d", text(p.PeriodType.TypeStrindex), text(p.PeriodType.UnitStrindex), p.Period)
	}
	if len(p.ProfileId) != 16 {
		die("a profile_id of %d bytes", len(p.ProfileId))
	}
	x.r.IDs = append(x.r.IDs, hex.EncodeToString(p.ProfileId))
	x.r.Durations[name] = p.DurationNano
	x.r.Comments = x.attributes(p.AttributeIndices)["pprof.profile.comment"]
	if p.TimeUnixNano == 0 {
		die("no time")
	}
	for _, s := range p.Samples {
		if len(s.Values) != 1 || len(s.TimestampsUnixNano) != 0 {
			die("a sample of %d values and %d times", len(s.Values), len(s.TimestampsUnixNano))
		}
		x.r.Sums[name+"|"+x.stack(s.StackIndex)+"|"+x.labels(s)] += s.Values[0]
	}
}

func (r *result) request(body []byte) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	check(err, "gzip")
	plain, err := io.ReadAll(z)
	check(err, "gzip")
	var m collector.ExportProfilesServiceRequest
	check(proto.Unmarshal(plain, &m), "proto")
	known(m.ProtoReflect())
	d := m.Dictionary
	zero(d.MappingTable, "mapping_table")
	zero(d.LocationTable, "location_table")
	zero(d.FunctionTable, "function_table")
	zero(d.LinkTable, "link_table")
	zero(d.AttributeTable, "attribute_table")
	zero(d.StackTable, "stack_table")
	if len(d.StringTable) == 0 || d.StringTable[0] != "" {
		die("string_table[0]")
	}
	seen := map[string]bool{}
	for _, s := range d.StringTable {
		if seen[s] {
			die("string %q twice", s)
		}
		seen[s] = true
	}
	x := reader{d, r}
	for _, mapping := range d.MappingTable[1:] {
		for k, v := range x.attributes(mapping.AttributeIndices) {
			r.Build = append(r.Build, k+"="+v)
		}
	}
	if len(m.ResourceProfiles) != 1 || len(m.ResourceProfiles[0].ScopeProfiles) != 1 {
		die("not one resource and scope")
	}
	for _, a := range m.ResourceProfiles[0].Resource.Attributes {
		r.Labels[a.Key] = valueOf(a.Value)
	}
	for _, p := range m.ResourceProfiles[0].ScopeProfiles[0].Profiles {
		x.profile(p)
	}
}

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "-nolabels" {
		noLabels = true
		args = args[1:]
	}
	r := &result{Labels: map[string]string{}, Durations: map[string]uint64{}, Periods: map[string]string{}, Sums: map[string]int64{}}
	for _, file := range args {
		body, err := os.ReadFile(file)
		check(err, "read")
		r.request(body)
	}
	out, _ := json.MarshalIndent(r, "", " ")
	fmt.Println(string(out))
}
