package device

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/fixtures/program"
)

// ServiceArg is the first argument that makes this program a service. It is in
// the first line of the scripts of a release.
const ServiceArg = "crashlab-service"

// rootVariable tells services where the device's / is.
const rootVariable = "CRASHLAB_ROOT"

// poison is a file in the shared directory. A release may leave it behind, and an
// older release dies of it, as of data in a format that only the newer one can read.
const poison = "opt/tope/shared/poison"

// checkerArg is the first argument that makes this program the checker.
const checkerArg = "crashlab-checker"

// ServiceMain runs a service, or the checker, when the arguments ask for it, and
// does not return then. Besides the fixtures' behaviours a service has two:
// "poison" leaves the poison behind, "afraid" is unhealthy where there is poison.
func ServiceMain() {
	if len(os.Args) < 3 || os.Args[1] != ServiceArg && os.Args[1] != checkerArg {
		return
	}
	run := serviceMain
	if os.Args[1] == checkerArg {
		run = checkerMain
	}
	if err := run(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// checkerMain waits until the web server answers and says whether it is well.
func checkerMain(string) error {
	for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		status, err := health()
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err == nil:
			return fmt.Errorf("it answers %d", status)
		case time.Since(began) > checkerPatience:
			return err
		}
	}
}

func health() (status int, err error) {
	r, err := http.Get("http://" + addrWeb + "/health") //nolint:noctx // the updater cuts it short
	if err != nil {
		return 0, err
	}
	return r.StatusCode, r.Body.Close()
}

// checkerPatience is a little less than the updater's patience for one check.
const checkerPatience = 4500 * time.Millisecond

func serviceMain(script string) error {
	p, words, err := readScript(script)
	if err != nil {
		return err
	}
	at := filepath.Join(os.Getenv(rootVariable), poison)
	for _, word := range words {
		switch word {
		case "poison":
			if err := os.WriteFile(at, nil, 0o644); err != nil {
				return err
			}
		case "afraid":
			if _, err := os.Stat(at); err == nil {
				p.Behaviour.Unhealthy = true
			}
		}
	}
	time.Sleep(p.Behaviour.ReadyAfter)
	p.Serve(func(program.Request) (int, string) { return 200, p.About("ok") })
	return nil
}

// readScript reads a service's script. A script that is not whole is refused.
func readScript(path string) (p program.Program, own []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return p, nil, err
	}
	if !strings.HasSuffix(string(text), "\nend\n") {
		return p, nil, fmt.Errorf("%s is not whole", path)
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "name":
			p.Name = value
		case "version":
			p.Version = value
		case "listen":
			p.Listen = value
		case "behaviour":
			var known []string
			for word := range strings.FieldsSeq(value) {
				if word == "poison" || word == "afraid" {
					own = append(own, word)
				} else {
					known = append(known, word)
				}
			}
			if p.Behaviour, err = program.ParseBehaviour(strings.Join(known, " ")); err != nil {
				return p, nil, err
			}
		}
	}
	return p, own, nil
}
