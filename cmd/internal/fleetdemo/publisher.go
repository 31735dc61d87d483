package fleetdemo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// publisher is who makes releases and chooses among them. The directory has the secret keys,
// the sources of the channels and the bundles; only what is published goes to the site.
type publisher struct{ desk string }

const product = "printer"

// newPublisher makes the directory with the trees of two releases, which somebody has built.
func (p *play) newPublisher(context.Context) (*publisher, error) {
	w := &publisher{desk: filepath.Join(p.dir, "publisher")}
	for _, r := range []fixtures.Release{{Version: bad, DeviceAPI: "unhealthy"}, {Version: good}} {
		if err := p.Programs.Tree(filepath.Join(w.desk, r.Version), r); err != nil {
			return nil, fmt.Errorf("cannot make release %s: %w", r.Version, err)
		}
	}
	text := fmt.Sprintf("product = %q\nservices = [%q, %q]\n", product, fixtures.DeviceAPI, fixtures.WebServer)
	return w, os.WriteFile(filepath.Join(w.desk, "release.toml"), []byte(text), 0o644)
}

// bundle runs the publisher's program, which shows what it says.
func (p *play) bundle(ctx context.Context, args ...string) error {
	p.say("\n$ tope-bundle %s", shell(args))
	cmd := exec.CommandContext(ctx, p.Bundle, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.desk, p.Out, p.Out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("tope-bundle %s: %w", shell(args), err)
	}
	return nil
}

// publish signs the channel and puts files onto the site, each whole or not at all: first
// the bundles, and then the channel, which is what devices ask for.
func (p *play) publish(ctx context.Context, bundles ...string) error {
	if err := p.bundle(ctx, "channel", "sign", "stable.json", "--key", "online.key"); err != nil {
		return err
	}
	files := slices.Concat(bundles, []string{"stable.channel"})
	p.say("$ cp %s ../site/", strings.Join(files, " "))
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(p.desk, name))
		if err != nil {
			return err
		}
		at := filepath.Join(p.site.dir, name)
		if err := os.WriteFile(at+".new", text, 0o644); err != nil {
			return err
		}
		if err := os.Rename(at+".new", at); err != nil {
			return err
		}
	}
	return nil
}

// shell is how a person would write arguments.
func shell(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if words[i] = a; strings.ContainsAny(a, " '") {
			words[i] = `"` + a + `"`
		}
	}
	return strings.Join(words, " ")
}
