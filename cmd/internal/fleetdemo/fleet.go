package fleetdemo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
)

// device is one of the fleet.
type device struct {
	*fixtures.Device
	name string
	// held: somebody keeps offers back on it.
	held   bool
	daemon *exec.Cmd
	log    *os.File
	api    *client.Client
}

const fleetSize = 12

// canary is one of the first in each rollout: fleet.early.
const canary = "printer-12"

// half are those whose place in the rollout of the good release is in the first half, by
// their ids, which are their names: the canary is the first, the others follow between
// 5.19 % and 43.73 %.
func half() []string {
	return []string{canary, "printer-05", "printer-06", "printer-07", "printer-08", "printer-10"}
}

// newFleet makes the devices, with version 1.0.0. Each knows the keys that sign releases
// and the one that signs channels.
func (p *play) newFleet(ctx context.Context) error {
	for i := range fleetSize {
		name := fmt.Sprintf("printer-%02d", i+1)
		// Nobody watches the network of a play, and only "fleet check" asks during it.
		more := fmt.Sprintf("[device]\nproduct = %q\n\n[fleet]\nchannel = %q\nid = %q\npoll = \"168h\"\nmetered = \"allow\"\n",
			product, p.url+"/stable.channel", name)
		if name == canary {
			more += "early = true\n"
		}
		d := &device{name: name}
		var err error
		if d.Device, err = p.Programs.Device(ctx, filepath.Join(p.dir, name), fixtures.Release{Version: first}, fixtures.Options{
			Stable: 500 * time.Millisecond, Timeout: 4 * time.Second, More: more,
		}); err != nil {
			return fmt.Errorf("cannot make device %s: %w", name, err)
		}
		d.api = client.Socket(filepath.Join(d.Root, "run/tope-updater/api.sock"))
		p.devices = append(p.devices, d)
	}
	return nil
}

// trust gives a device the public keys, as its image would have them.
func (p *play) trust(d *device) error {
	for from, to := range map[string]string{"release.pub": "release.pub", "online.pub": "channel/online.pub"} {
		key, err := os.ReadFile(filepath.Join(p.desk, from))
		if err != nil {
			return err
		}
		at := filepath.Join(d.Root, "etc/tope-updater/keys", to)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, key, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// boot starts the daemon of a device.
func (p *play) boot(ctx context.Context, d *device) (err error) {
	if d.log, err = os.Create(filepath.Join(p.dir, d.name+".log")); err != nil {
		return err
	}
	d.daemon = p.command(ctx, d, "serve")
	d.daemon.Stdout, d.daemon.Stderr = d.log, d.log
	return d.daemon.Start()
}

// stop ends the daemon and the services.
func (d *device) stop() error {
	var all []error
	if d.daemon != nil && d.daemon.Process != nil {
		all = append(all, d.daemon.Process.Signal(syscall.SIGTERM))
		_ = d.daemon.Wait() // we asked for its end
		all = append(all, d.log.Close())
	}
	return errors.Join(append(all, d.Stop(context.Background()))...)
}

// command is the updater with a verb on a device.
func (p *play) command(ctx context.Context, d *device, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Updater, append([]string{"--root", d.name}, args...)...)
	cmd.Dir = p.dir
	return cmd
}

// updater runs a verb on a device, and shows what it says.
func (p *play) updater(ctx context.Context, d *device, args ...string) error {
	p.say("\n$ tope-updater --root %s %s", d.name, shell(args))
	cmd := p.command(ctx, d, args...)
	cmd.Stdout, cmd.Stderr = p.Out, p.Out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("tope-updater --root %s %s: %w", d.name, shell(args), err)
	}
	return nil
}

// everywhere runs a verb on all devices at once, and shows one line of what each says: the
// first that begins with start.
func (p *play) everywhere(ctx context.Context, start string, args ...string) ([]string, error) {
	filter := "head -n 1"
	if start != "" {
		filter = "grep ^" + start
	}
	p.say("\n$ for d in printer-*; do tope-updater --root $d %s | %s; done", shell(args), filter)
	lines := make([]string, len(p.devices))
	err := p.each(func(i int, d *device) error {
		said, err := p.command(ctx, d, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("tope-updater --root %s %s: %w: %s", d.name, shell(args), err, said)
		}
		for line := range strings.Lines(string(said)) {
			if lines[i] == "" && strings.HasPrefix(line, start) {
				lines[i] = strings.TrimSpace(line)
			}
		}
		return nil
	})
	for i, d := range p.devices {
		p.say("%s  %s", d.name, lines[i])
	}
	return lines, err
}

// ask has all devices ask their source now, and returns what each says then.
func (p *play) ask(ctx context.Context) ([]string, error) {
	return p.everywhere(ctx, "", "fleet", "check")
}

// each does something on all devices at once.
func (p *play) each(do func(i int, d *device) error) error {
	all := make([]error, len(p.devices))
	var work sync.WaitGroup
	for i, d := range p.devices {
		work.Go(func() { all[i] = do(i, d) })
	}
	work.Wait()
	return errors.Join(all...)
}

// await waits until a device's status is as wanted.
func (p *play) await(ctx context.Context, d *device, what string, ready func(httpapi.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		st, err := d.api.Status(ctx)
		if err == nil && ready(st) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: waited in vain for %s (%s); see %s", d.name, what, st.State, d.log.Name())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settle waits until no device has an update in progress, and demands that those and only
// those devices run a version that are meant to. One that is held is to have it ready.
func (p *play) settle(ctx context.Context, version string, meant func(*device) bool) error {
	return p.each(func(_ int, d *device) error {
		runs := ""
		err := p.await(ctx, d, "the end of its update", func(st httpapi.Status) bool {
			runs = st.Pointers.Current
			if d.held && meant(d) {
				return st.State == engine.Ready && strings.Contains(st.Fleet, "is ready and waits")
			}
			return st.Update == nil || engine.Terminal(st.Update.State)
		})
		if err == nil && (runs == version) != (meant(d) && !d.held) {
			err = fmt.Errorf("%s runs %s, while %s goes out", d.name, runs, version)
		}
		return err
	})
}

// memory is what the daemons have of it now, in bytes: the sum of their proportional
// shares, and the most that one of them had at once.
func (p *play) memory() (sum, most int64, err error) {
	for _, d := range p.devices {
		dir := "/proc/" + strconv.Itoa(d.daemon.Process.Pid)
		share, err := row(dir+"/smaps_rollup", "Pss:")
		if err != nil {
			return 0, 0, err
		}
		peak, err := row(dir+"/status", "VmHWM:")
		if err != nil {
			return 0, 0, err
		}
		sum, most = sum+share, max(most, peak)
	}
	return sum, most, nil
}

// row is a number of kB in a file of the kernel's.
func row(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}
