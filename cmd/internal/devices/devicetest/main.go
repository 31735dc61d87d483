package devicetest

import (
	"flag"
	"testing"
)

// atOnce is how many devices tests may have at once, whatever the number of
// processors: most of the time a device waits.
const atOnce = "6"

// Main runs a package's tests, at most atOnce of them at once.
func Main(m *testing.M) int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err)
		}
	}
	return m.Run()
}
