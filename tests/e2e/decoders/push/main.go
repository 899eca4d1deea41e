// push KIND FILE...: what is in pprof files and in the requests for Pyroscope and Parca, read with
// their makers' own modules (google/pprof's parser and CheckValid, Pyroscope's and Parca's API), as
// JSON: {"labels": of the series, "durations": of the profiles, "sums": {"type/unit|stack|labels":
// value}}. KIND: pprof, pyroscope, pyroscope-json, parca, parca-json; "wall" writes a profile
// instead. With -nolabels, labels of samples are left out of the keys.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/google/pprof/profile"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	parcav1 "github.com/parca-dev/parca/gen/proto/go/parca/profilestore/v1alpha1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type result struct {
	Labels    map[string]string `json:"labels"`
	Durations []int64           `json:"durations"`
	Times     []int64           `json:"times"`
	IDs       []string          `json:"ids"`
	Sums      map[string]int64  `json:"sums"`
	Depth     int               `json:"depth"`
	Samples   int               `json:"samples"`
	Negative  int               `json:"negative"`
	Texts     []string          `json:"texts"`
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

// Fields that their message does not have would be ours by mistake.
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

func labelsOf(s *profile.Sample, texts map[string]bool) string {
	var all []string
	for k, vs := range s.Label {
		texts[k] = true
		for _, v := range vs {
			all = append(all, k+"="+v)
		}
	}
	for k, vs := range s.NumLabel {
		for _, v := range vs {
			all = append(all, fmt.Sprintf("%s=%d", k, v))
		}
	}
	if noLabels {
		return ""
	}
	sort.Strings(all)
	return strings.Join(all, ",")
}

func stackOf(s *profile.Sample) string {
	var frames []string
	for _, l := range s.Location {
		if len(l.Line) == 0 {
			frames = append(frames, fmt.Sprintf("%#x", l.Address))
		}
		for _, line := range l.Line {
			frames = append(frames, fmt.Sprintf("%s:%d", line.Function.Name, line.Line))
		}
	}
	return strings.Join(frames, ";")
}

func (r *result) add(raw []byte) {
	p, err := profile.ParseData(raw)
	check(err, "pprof")
	check(p.CheckValid(), "CheckValid")
	if p.PeriodType == nil || p.PeriodType.Type == "" {
		die("no period type")
	}
	texts := map[string]bool{}
	for _, t := range r.Texts {
		texts[t] = true
	}
	r.Durations = append(r.Durations, p.DurationNanos)
	r.Times = append(r.Times, p.TimeNanos)
	r.Samples = max(r.Samples, len(p.Sample))
	for _, s := range p.Sample {
		key := stackOf(s) + "|" + labelsOf(s, texts)
		r.Depth = max(r.Depth, len(s.Location))
		for i, v := range s.Value {
			if v < 0 {
				r.Negative++
			}
			if v != 0 {
				r.Sums[p.SampleType[i].Type+"/"+p.SampleType[i].Unit+"|"+key] += v
			}
		}
	}
	r.Texts = []string{}
	for t := range texts {
		r.Texts = append(r.Texts, t)
	}
	sort.Strings(r.Texts)
}

func (r *result) label(name, value string) {
	if _, ok := r.Labels[name]; ok && len(r.Durations) == 0 {
		die("label %s twice", name)
	}
	r.Labels[name] = value
}

func (r *result) pyroscope(body []byte, isJSON bool) {
	var m pushv1.PushRequest
	if isJSON {
		check(protojson.Unmarshal(body, &m), "protojson")
	} else {
		check(proto.Unmarshal(body, &m), "proto")
	}
	known(m.ProtoReflect())
	if len(m.Series) != 1 || len(m.Series[0].Samples) != 1 {
		die("not one profile")
	}
	for _, l := range m.Series[0].Labels {
		r.label(l.Name, l.Value)
	}
	r.IDs = append(r.IDs, m.Series[0].Samples[0].ID)
	r.add(m.Series[0].Samples[0].RawProfile)
}

func (r *result) parca(body []byte, isJSON bool) {
	var m parcav1.WriteRawRequest
	if isJSON {
		check(protojson.Unmarshal(body, &m), "protojson")
	} else {
		if len(body) < 5 || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 {
			die("not one grpc-web frame")
		}
		check(proto.Unmarshal(body[5:], &m), "proto")
	}
	known(m.ProtoReflect())
	if len(m.Series) != 1 {
		die("not one series")
	}
	for _, l := range m.Series[0].Labels.Labels {
		r.label(l.Name, l.Value)
	}
	for _, s := range m.Series[0].Samples {
		r.add(s.RawProfile)
	}
}

// A wall profile with two labels, a negative value, and one stack of 1,024 frames.
func wall() {
	m := &profile.Mapping{ID: 1, Start: 0x400000, Limit: 0x800000, File: "/app/server", BuildID: "abcd"}
	p := &profile.Profile{
		SampleType:    []*profile.ValueType{{Type: "wall", Unit: "nanoseconds"}},
		PeriodType:    &profile.ValueType{Type: "wall", Unit: "nanoseconds"},
		Period:        10000000,
		TimeNanos:     1700000000000000000,
		DurationNanos: 10000000000,
		Mapping:       []*profile.Mapping{m},
	}
	for i := 1; i <= 1024; i++ {
		f := &profile.Function{ID: uint64(i), Name: fmt.Sprintf("main.f%d", i), SystemName: fmt.Sprintf("main.f%d", i), Filename: "/src/main.go", StartLine: int64(i)}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: uint64(i), Mapping: m, Address: uint64(0x400000 + i), Line: []profile.Line{{Function: f, Line: int64(i + 1)}}})
	}
	add := func(value int64, label map[string][]string, locations ...*profile.Location) {
		p.Sample = append(p.Sample, &profile.Sample{Value: []int64{value}, Location: locations, Label: label})
	}
	add(1000, map[string][]string{"tenant": {"a"}, "k.8": {"x"}}, p.Location[0], p.Location[1])
	add(200, map[string][]string{"tenant": {"b"}}, p.Location[0], p.Location[1])
	add(50, map[string][]string{"span_id": {"00f067aa0ba902b7"}, "trace_id": {"4bf92f3577b34da6a3ce929d0e0e4736"}}, p.Location[2])
	add(7, map[string][]string{"span id": {"67667974448284343"}}, p.Location[2])
	add(3, nil, p.Location...)
	add(-1, nil, p.Location[3])
	check(p.CheckValid(), "CheckValid")
	check(p.Write(os.Stdout), "write")
}

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "-nolabels" {
		noLabels = true
		args = args[1:]
	}
	if len(args) == 1 && args[0] == "wall" {
		wall()
		return
	}
	r := &result{Labels: map[string]string{}, Sums: map[string]int64{}}
	for _, file := range args[1:] {
		body, err := os.ReadFile(file)
		check(err, "read")
		switch args[0] {
		case "pprof":
			r.add(body)
		case "pyroscope", "pyroscope-json":
			r.pyroscope(body, args[0] != "pyroscope")
		case "parca", "parca-json":
			r.parca(body, args[0] != "parca")
		default:
			die("what is %s?", args[0])
		}
	}
	out, _ := json.MarshalIndent(r, "", " ")
	fmt.Println(string(out))
}
