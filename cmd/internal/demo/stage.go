package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
)

// device is the device of the play, and the world around it.
type device struct {
	Options
	*fixtures.Device
	dir      string
	packages string // URL
	server   *http.Server
	daemon   *exec.Cmd
	log      *os.File
	api      *client.Client
}

// setUp makes the device, with version 1.0.0, and the packages to come.
func (o Options) setUp(ctx context.Context, dir string, programs fixtures.Programs) (*device, error) {
	d := &device{Options: o, dir: dir}
	var err error
	if d.Device, err = programs.Device(ctx, filepath.Join(dir, "device"), fixtures.Release{Version: "1.0.0"}, fixtures.Options{
		Stable: 700 * time.Millisecond, Timeout: 3 * time.Second,
	}); err != nil {
		return nil, fmt.Errorf("cannot make the device: %w", err)
	}
	// Pictures that cannot be compressed make 1.3.0 large enough to be cut.
	pictures := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(pictures) // never fails
	shop := filepath.Join(dir, "packages")
	if err := os.Mkdir(shop, 0o755); err != nil {
		return nil, err
	}
	for _, r := range []fixtures.Release{
		{Version: "1.1.0"},
		{Version: "1.2.0", DeviceAPI: "unhealthy"},
		{Version: "1.3.0", Files: map[string][]byte{"services/web-server/pictures": pictures}},
	} {
		if _, err := programs.Package(shop, r); err != nil {
			return nil, fmt.Errorf("cannot make package %s: %w", r.Version, err)
		}
	}
	if d.log, err = os.Create(filepath.Join(dir, "daemon.log")); err != nil {
		return nil, err
	}
	d.api = client.Socket(filepath.Join(d.Root, "run/tope-updater/api.sock"))
	return d, d.openShop(ctx, shop)
}

// openShop serves the packages on loopback, at the pace of a mobile network.
func (d *device) openShop(ctx context.Context, dir string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.packages = "http://" + l.Addr().String()
	// Not http.FileServer, which would make the device program 30 kB larger.
	d.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := os.ReadFile(filepath.Join(dir, filepath.Base(r.URL.Path)))
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(file)))
		_, _ = (&slow{ResponseWriter: w}).Write(file) // the updater may have been killed
	})}
	go func() { _ = d.server.Serve(l) }() // until strike closes it
	return nil
}

// slow holds a response back to some 3 MB a second.
type slow struct{ http.ResponseWriter }

func (s *slow) Write(b []byte) (sent int, err error) {
	for piece := range slices.Chunk(b, 64<<10) {
		n, err := s.ResponseWriter.Write(piece)
		sent += n
		if err != nil {
			return sent, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return sent, nil
}

// command is the updater with a verb, as a child whose output is shown.
func (d *device) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.Updater, append([]string{"--config", d.Config, "--root", d.Root}, args...)...)
	cmd.Stdout, cmd.Stderr = d.Out, d.Out
	return cmd
}

// updater runs a verb to its end and demands its exit code.
func (d *device) updater(ctx context.Context, want int, args ...string) error {
	d.prompt(args...)
	cmd := d.command(ctx, args...)
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("tope-updater %s: exit code %d, not %d: %w", strings.Join(args, " "), got, want, err)
	}
	if want != 0 {
		d.say("(exit code %d)", want)
	}
	return nil
}

func (d *device) prompt(args ...string) { d.say("\n$ tope-updater %s", strings.Join(args, " ")) }

func (d *device) say(format string, args ...any) { _, _ = fmt.Fprintf(d.Out, format+"\n", args...) }

func (d *device) heading(format string, args ...any) {
	d.say("\n%s", d.Heading(fmt.Sprintf("== "+format, args...)))
}

// boot starts the daemon and waits until it answers.
func (d *device) boot(ctx context.Context) error {
	d.daemon = d.command(ctx, "serve")
	d.daemon.Stdout, d.daemon.Stderr = d.log, d.log
	if err := d.daemon.Start(); err != nil {
		return fmt.Errorf("cannot start the daemon: %w", err)
	}
	return d.await(ctx, "the daemon to answer", func(httpapi.Status) bool { return true })
}

// await waits until the daemon's status is as wanted.
func (d *device) await(ctx context.Context, what string, ready func(httpapi.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		if st, err := d.api.Status(ctx); err == nil && ready(st) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s; see %s", what, d.log.Name())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill ends the daemon as a power cut would: without a word.
func (d *device) kill() error {
	d.say("\n%s", d.Heading(fmt.Sprintf("   kill -9 %d  (the daemon)", d.daemon.Process.Pid)))
	return d.end(syscall.SIGKILL)
}

func (d *device) end(sig syscall.Signal) error {
	if d.daemon == nil {
		return nil
	}
	cmd := d.daemon
	d.daemon = nil
	if err := cmd.Process.Signal(sig); err != nil {
		return err
	}
	_ = cmd.Wait() // we asked for its end
	return nil
}

// strike ends everything that was started: the daemon, the services, the shop.
func (d *device) strike() {
	if d.server != nil {
		_ = d.server.Close()
	}
	_ = d.end(syscall.SIGTERM)
	_ = d.log.Close()
	_ = d.Stop(context.Background()) // as far as possible: the play is over
	// A service that was stopped stays so until the next boot. The device is handed over
	// as one that is about to boot: the next daemon starts its services.
	for _, s := range d.Services() {
		_ = os.Remove(filepath.Join(d.Root, "run/tope-updater/services", s.Name+".json"))
	}
}

// howToPlay tells how to go on with the device.
func (d *device) howToPlay() {
	d.heading("the device is yours: %s", d.dir)
	d.say(`
  alias tu='%s --config %s --root %s'
  tu serve &                               # the daemon; it starts the services too
  tu status
  tu rollback
  tu install %s/packages/tope-1.1.0.zip
  tu install --retry %s/packages/tope-1.2.0.zip
  tu journal show --all
  curl -s http://127.0.0.1:%d/api/v1.0/progress

The services outlive the daemon. To end and remove it all:
  kill %%1; wait %%1; pkill -f %s/opt/; chmod -R u+w %s && rm -r %s`,
		d.Updater, d.Config, d.Root, d.dir, d.dir, d.Ports.Updater, d.Root, d.dir, d.dir)
}
