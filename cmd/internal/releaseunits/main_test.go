package releaseunits_test

import (
	stdcontext "context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// ports are the same on every device: each machine has a network of its own.
var ports = fixtures.Ports{Updater: 12315, DeviceAPI: 9080, WebServer: 8080}

var bin string

func program() string { return filepath.Join(bin, "tope-updater") }

func context() stdcontext.Context { return stdcontext.Background() }

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "releaseunits-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}
