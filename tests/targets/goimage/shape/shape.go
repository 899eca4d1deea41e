// Package shape: methods behind interfaces, so that the compiler makes wrappers.
package shape

type Sized interface{ Area() int }

type Square struct{ Side int }

func (s Square) Area() int { return s.Side * s.Side }

type big struct{ w [16]int }

//go:noinline
func (b big) Area() int {
	n := 0
	for _, v := range b.w {
		n += v
	}
	return n
}

type Named struct {
	Sized
	Name string
}

// All returns values and pointers: (*T).Area wraps T.Area, Named.Area wraps the embedded one.
func All() []Sized {
	b := big{}
	b.w[3] = 7
	return []Sized{Square{2}, &Square{3}, b, &b, Named{Square{4}, "n"}, &Named{&b, "b"}}
}
