package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/steps/bundle/bundletest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tope-updater": func() { os.Exit(run(os.Args[1:])) },
	})
}

// The scripts in testdata/script are the command line's contract: exit codes, the
// output on each stream, and --json. Each says in its first line what it guards.
//
// In them $CONFIG and $ROOT are a device with version 1.0.0 of the fixture
// services, made by the command "device", and "tu" is the program with both.
func TestScripts(t *testing.T) {
	services, bundler := builttest.Services(t), builttest.Program(t, "tope-bundle", builttest.Version)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", filepath.Join(env.WorkDir, "device"))
			env.Setenv("CONFIG", filepath.Join(env.WorkDir, "device/etc/tope-updater/config.toml"))
			env.Values["services"], env.Values["bundler"] = services, bundler
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"device":  makeDevice,
			"package": makePackage,
			"exit":    runExit,
			"silence": openSilence,
			"await":   awaitDaemon,
			"in":      awaitState,
			"get":     getURL,
			"reports": awaitReport,
			"publish": publish,
			"damage":  damage,
		},
	})
}

func programs(ts *testscript.TestScript) fixtures.Programs {
	return ts.Value("services").(fixtures.Programs)
}

// patientGate is for devices whose gate is soon passed, and which are patient with a busy machine, where
// a sound service takes seconds to answer. Only a version that is sick needs all that time.
func patientGate() fixtures.Options {
	return fixtures.Options{Stable: 100 * time.Millisecond, Timeout: 10 * time.Second}
}

// makeDevice is "device [MANAGER]": a device at $ROOT with version 1.0.0.
func makeDevice(ts *testscript.TestScript, _ bool, args []string) {
	o := patientGate()
	if len(args) > 0 {
		o.Manager = args[0]
	}
	d, err := programs(ts).Device(context.Background(), ts.Getenv("ROOT"), fixtures.Release{Version: "1.0.0"}, o)
	ts.Check(err)
	ts.Setenv("ROOT", d.Root)
	ts.Setenv("CONFIG", d.Config)
	ts.Defer(func() {
		// testscript cannot remove directories without write bits.
		_ = d.Remove(context.Background())
	})
}

// makePackage is "package VERSION [BEHAVIOUR]": $WORK/tope-VERSION.zip.
func makePackage(ts *testscript.TestScript, _ bool, args []string) {
	r := fixtures.Release{Version: args[0], Pack: bundletest.Deflate}
	if len(args) > 1 {
		r.DeviceAPI = args[1]
	}
	_, err := programs(ts).Package(ts.MkAbs("."), r)
	ts.Check(err)
}

// runExit is "exit CODE ARG...": the program on the device, with that exit code.
func runExit(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("tope-updater", append([]string{"--config", ts.Getenv("CONFIG"), "--root", ts.Getenv("ROOT")}, args[1:]...)...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, not %s", got, args[0])
	}
}

// openSilence is "silence": $SILENCE is the URL of a server that never answers.
func openSilence(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	over := make(chan struct{})
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})}
	go func() { _ = srv.Serve(l) }()
	ts.Defer(func() {
		close(over)
		_ = srv.Close()
	})
	ts.Setenv("SILENCE", fmt.Sprintf("http://%s/tope-9.0.0.zip", l.Addr()))
}

// awaitDaemon is "await": until a daemon answers on the device's socket.
func awaitDaemon(ts *testscript.TestScript, _ bool, _ []string) {
	c := client.Socket(filepath.Join(ts.Getenv("ROOT"), "run/tope-updater/api.sock"))
	defer c.Close()
	deadline := time.Now().Add(time.Minute)
	for c.Alive(context.Background()) != nil {
		if time.Now().After(deadline) {
			ts.Fatalf("no daemon answers")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// awaitState is "in STATE": until the open update is in that state.
func awaitState(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(time.Minute)
	for {
		var st engine.Status
		err := ts.Exec("tope-updater", "--config", ts.Getenv("CONFIG"), "--root", ts.Getenv("ROOT"), "--json", "status")
		if err == nil && json.Unmarshal([]byte(ts.ReadFile("stdout")), &st) == nil && st.State == engine.State(args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the update is not in %s but in %s: %v", args[0], st.State, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// getURL is "get PORT-KEY PATH": GET from the port that is in the configuration
// behind KEY, "device_api" or "http"; the body is standard output.
func getURL(ts *testscript.TestScript, neg bool, args []string) {
	cfg, err := config.Load(ts.Getenv("CONFIG"))
	ts.Check(err)
	base := map[string]string{"device_api": cfg.DeviceAPI.URL, "http": "http://" + cfg.HTTP.Listen}[args[0]]
	res, err := http.Get(base + args[1])
	if neg && err != nil {
		return
	}
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}

// awaitReport is "reports TEXT": until device-api has been told TEXT.
func awaitReport(ts *testscript.TestScript, _ bool, args []string) {
	cfg, err := config.Load(ts.Getenv("CONFIG"))
	ts.Check(err)
	deadline := time.Now().Add(time.Minute)
	for {
		if res, err := http.Get(cfg.DeviceAPI.URL + "/reports"); err == nil {
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if strings.Contains(string(body), args[0]) {
				return
			}
			if time.Now().After(deadline) {
				ts.Fatalf("device-api was told %s", body)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
