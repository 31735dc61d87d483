package booted_test

import (
	"flag"
	"os"
	"testing"

	"github.com/tope/updater/cmd/internal/bootedtest"
)

// lanes are how many machines run at once: they wait more than they work.
const lanes = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if !told {
		_ = flag.Set("test.parallel", lanes) // it is a number
	}
	os.Exit(bootedtest.Main(m))
}
