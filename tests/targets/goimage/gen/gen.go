// Package gen: generic functions and types, instantiated for several shapes.
package gen

type Number interface {
	~int | ~int64 | ~float64
}

func Add[T Number](a, b T) T { return a + b }

//go:noinline
func Sum[T Number](s []T) T {
	var t T
	for _, v := range s {
		t = Add(t, v)
	}
	return t
}

type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(v T) { s.items = append(s.items, v) }

//go:noinline
func (s *Stack[T]) Each(f func(T)) {
	for _, v := range s.items {
		f(v)
	}
}
