// Package deep: calls that are inlined into each other several levels deep.
package deep

func one(x int) int { return x*3 + 1 }

func two(x int) int { return one(x) ^ one(x+1) }

func three(x int) int {
	return two(x) + two(x+2)
}

// Four is a chain of four inlined levels where the compiler allows it.
func Four(x int) int { return three(x) - one(x) }

//go:noinline
func Outer(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += Four(i)
	}
	return sum
}

// Fib recurses: never inlined into itself.
func Fib(n int) int {
	if n < 2 {
		return n
	}
	return Fib(n-1) + Fib(n-2)
}
