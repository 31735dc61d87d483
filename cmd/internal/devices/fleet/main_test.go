package fleet_test

import (
	"os"
	"testing"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
)

func TestMain(m *testing.M) { os.Exit(devicetest.Main(m)) }
