package booted_test

import (
	"os"
	"testing"

	"github.com/tope/updater/cmd/internal/bootedtest"
)

func TestMain(m *testing.M) { os.Exit(bootedtest.Main(m)) }
