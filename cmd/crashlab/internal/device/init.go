//go:build linux && amd64

package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/embedded"
)

// InitArg is the first argument that makes this program start a device's
// services, as its init would: crashlab-init ROOT CONFIG.
const InitArg = "crashlab-init"

// InitMain starts the services when the arguments ask for it, and does not return
// then. A service that cannot be started is not an error: the gate judges that.
func InitMain() {
	if len(os.Args) < 4 || os.Args[1] != InitArg {
		return
	}
	if err := initMain(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	os.Exit(0)
}

func initMain(dir, file string) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	root, err := disk.NewRoot(dir)
	if err != nil {
		return err
	}
	run, err := root.Resolve(cfg.Paths.Run)
	if err != nil {
		return err
	}
	m, err := embedded.New(embedded.Config{RunDir: filepath.Join(run, "services"), Resolve: root.Resolve})
	if err != nil {
		return err
	}
	defer m.Close()
	var list []service.Service
	for _, s := range cfg.Service {
		list = append(list, s.Service())
	}
	return m.Supervise(context.Background(), list)
}
