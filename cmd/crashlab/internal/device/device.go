//go:build linux && amd64

package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Lab is the part that all devices of one laboratory share.
type Lab struct {
	// Dir is the laboratory's directory, in memory.
	Dir string
	// Updater is the program under test.
	Updater string
	// config is the configuration's path.
	config  string
	handler http.Handler
	// self is this program, which is also the devices' init and services.
	self string
	// updateID matches the names of updates, which contain the time and so differ
	// in each run. promise matches a report of success.
	updateID, promise *regexp.Regexp
}

// Open makes a laboratory in dir for the updater at the given path.
func Open(dir, updater string) (*Lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if updater, err = filepath.Abs(updater); err != nil {
		return nil, err
	}
	if _, err := os.Stat(updater); err != nil {
		return nil, fmt.Errorf("the program under test: %w; \"make build\" makes it", err)
	}
	l := &Lab{
		Dir: dir, Updater: updater, config: filepath.Join(dir, "config.toml"), self: self,
		updateID: regexp.MustCompile(`\d{8}-\d{6}-\d+`),
		promise:  regexp.MustCompile(`\bCommitted\b|"stage": ?"success"`),
	}
	if l.handler, err = packages(dir); err != nil {
		return nil, err
	}
	return l, os.WriteFile(l.config, []byte(configuration), 0o644)
}

// packages serves every release, some as native bundles too, which it makes in
// dir. It serves ranges and heeds If-Range.
func packages(dir string) (http.Handler, error) {
	mux := http.NewServeMux()
	serve := func(name string, data []byte) {
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("ETag", `"`+name+`"`)
			http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(data))
		})
	}
	for _, r := range releases() {
		data, err := r.zip()
		if err != nil {
			return nil, err
		}
		serve(r.Version+".zip", data)
	}
	for _, r := range []Release{trusted(), later()} {
		data, err := r.native(dir)
		if err != nil {
			return nil, fmt.Errorf("make the native bundle of %s: %w", r.Version, err)
		}
		serve(r.Version+".tope", data)
	}
	return mux, nil
}

// Device is one device; it implements sweep.Bench.
type Device struct {
	lab  *Lab
	flow Flow
	// template is the device at the beginning of the flow; base has the facts about it.
	template string
	base     facts

	root string
	// out has the output of the programs of the newest boot.
	out  string
	tick uint64
}

var _ sweep.Bench = (*Device)(nil)

// Root implements sweep.Bench.
func (d *Device) Root() string { return d.root }

// Volatile implements sweep.Bench: /run is in memory.
func (d *Device) Volatile(path string) bool { return path == "run" || strings.HasPrefix(path, "run/") }

// Class implements sweep.Bench. Services write their logs and the poison in their
// own time: such calls have no place in the updater's order.
func (d *Device) Class(path string) string {
	if path == poison || d.Volatile(path) && strings.HasSuffix(path, ".log") {
		return ""
	}
	path = d.lab.updateID.ReplaceAllString(path, "UPDATE")
	for _, long := range [][2]string{{"opt/tope/versions", "versions"}, {"var/lib/tope-updater/", ""}, {"usr/local/bin", "bin"}} {
		if rest, ok := strings.CutPrefix(path, long[0]); ok {
			return long[1] + rest
		}
	}
	return path
}

// Promises implements sweep.Bench: the follower's line for the state, or the
// final report to device-api.
func (d *Device) Promises(said []byte) bool { return d.lab.promise.Match(said) }

// Reset implements sweep.Bench.
func (d *Device) Reset(from string) error {
	if from == "" {
		from = d.template
	}
	if err := sweep.RemoveTree(d.root); err != nil {
		return err
	}
	return sweep.CopyTree(from, d.root)
}

// machine is a booted device.
type machine struct {
	*trace.Machine
	d     *Device
	armed atomic.Bool
}

// boot starts the device: nothing runs on it yet, and /run is empty.
func (d *Device) boot(w sweep.Watch) (*machine, error) {
	if err := sweep.RemoveTree(filepath.Join(d.root, "run")); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(d.root, "run"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(d.out, nil, 0o644); err != nil {
		return nil, err
	}
	m := &machine{d: d}
	cfg := trace.Config{Dir: d.root, Record: w.Record, Says: true, Listen: addrPackages, NotTick: d.tick}
	if w.Handler != nil {
		cfg.Handler = func(c *trace.Call) trace.Verdict {
			if !m.armed.Load() {
				return trace.Verdict{}
			}
			return w.Handler(c)
		}
	}
	var err error
	if m.Machine, err = trace.Boot(cfg); err != nil {
		return nil, err
	}
	d.tick = m.Tick()
	srv := &http.Server{Handler: d.lab.handler, ReadHeaderTimeout: time.Minute}
	// It ends when Off closes the listener.
	go func() { _ = srv.Serve(m.Listener()) }()
	return m, nil
}

// updater runs the updater with a verb; armed, its calls are watched.
func (m *machine) updater(ctx context.Context, armed bool, args ...string) (int, error) {
	m.armed.Store(armed)
	defer m.armed.Store(false)
	args = append([]string{m.d.lab.Updater, "--root", m.d.root, "--config", m.d.lab.config}, args...)
	return m.run(ctx, args...)
}

// services starts the services from current, as an init would.
func (m *machine) services(ctx context.Context) error {
	_, err := m.run(ctx, m.d.lab.self, InitArg, m.d.root, m.d.lab.config)
	return err
}

// errHung is a program that did not end.
var errHung = errors.New("it did not end within " + trace.Timeout.String())

func (m *machine) run(ctx context.Context, args ...string) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, trace.Timeout, errHung)
	defer cancel()
	return m.Run(ctx, trace.Command{
		Args: args, Env: trace.Environ(rootVariable + "=" + m.d.root), Stdout: m.d.out, Stderr: m.d.out,
	})
}

// printed is the last output of the programs of this boot, on one line.
func (d *Device) printed() string {
	b, _ := os.ReadFile(d.out)
	s := strings.Join(strings.Fields(string(b)), " ")
	return s[max(0, len(s)-400):]
}

// story turns the end of a run into a story.
func story(exit int, err error) (sweep.Story, error) {
	switch {
	case errors.Is(err, trace.ErrPower):
		return sweep.Story{Cut: true}, nil
	case errors.Is(err, errHung):
		return sweep.Story{Hung: true}, nil
	}
	return sweep.Story{Exit: exit}, err
}

// Act implements sweep.Bench.
func (d *Device) Act(ctx context.Context, w sweep.Watch) (sweep.Story, error) {
	m, err := d.boot(w)
	if err != nil {
		return sweep.Story{}, err
	}
	defer m.Off()
	if err := m.services(ctx); err != nil {
		return sweep.Story{}, err
	}
	return story(m.updater(ctx, true, d.flow.Args...))
}

// Succeed implements sweep.Bench.
func (d *Device) Succeed(ctx context.Context, w sweep.Watch, recover bool) (sweep.Story, error) {
	m, err := d.boot(w)
	if err != nil {
		return sweep.Story{}, err
	}
	defer m.Off()
	if err := m.services(ctx); err != nil {
		return sweep.Story{}, err
	}
	if exit, err := m.updater(ctx, true, d.flow.Args...); err != nil {
		return story(exit, err)
	}
	if recover {
		if exit, err := m.updater(ctx, true, "recover"); err != nil {
			return story(exit, err)
		}
	}
	return story(m.updater(ctx, true, "recover", "--finish"))
}

// Recover implements sweep.Bench: one boot, with everything that it does.
func (d *Device) Recover(ctx context.Context, w sweep.Watch) (sweep.Story, error) {
	m, err := d.boot(w)
	if err != nil {
		return sweep.Story{}, err
	}
	defer m.Off()
	if exit, err := m.updater(ctx, true, "recover"); err != nil {
		return story(exit, err)
	}
	if err := m.services(ctx); err != nil {
		return story(0, err)
	}
	return story(m.updater(ctx, true, "recover", "--finish"))
}
