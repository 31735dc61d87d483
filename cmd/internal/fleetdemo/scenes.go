package fleetdemo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
)

// The versions: the one that all devices have, a release that starts and says that it is
// unhealthy, and one that repairs it.
const (
	first = "1.0.0"
	bad   = "1.1.0"
	good  = "1.2.0"
)

// busy is a device among the first half in the rollout of the good release.
const busy = "printer-05"

type scene func(context.Context, *play) error

// scenes is the play.
func scenes() []scene {
	return []scene{keys, start, canaryFails, halted, promoted, halfway, released, all, account}
}

func keys(ctx context.Context, p *play) error {
	p.heading("the publisher makes two keys: one for releases, and one that can only choose among them")
	if err := p.bundle(ctx, "keygen", "release"); err != nil {
		return err
	}
	return p.bundle(ctx, "keygen", "online")
}

func start(ctx context.Context, p *play) error {
	p.heading("twelve devices with version %s, below %s; %s is early in each rollout", first, p.dir, canary)
	if err := p.each(func(_ int, d *device) error {
		if err := p.trust(d); err != nil {
			return err
		}
		return p.boot(ctx, d)
	}); err != nil {
		return err
	}
	if err := p.each(func(_ int, d *device) error {
		return p.await(ctx, d, "its services to run", func(st httpapi.Status) bool {
			for _, s := range st.Services {
				if !s.Running {
					return false
				}
			}
			return len(st.Services) > 0
		})
	}); err != nil {
		return err
	}
	return p.updater(ctx, p.canary(), "fleet", "status")
}

// canaryFails publishes the bad release to the first percent of the fleet. It would go to
// all of it within three days.
func canaryFails(ctx context.Context, p *play) error {
	p.heading("release %s goes out: to 1 %% now, and within three days to all", bad)
	if err := p.pack(ctx, bad); err != nil {
		return err
	}
	if err := p.bundle(ctx, "channel", "init", "stable.json", "--product", product); err != nil {
		return err
	}
	if err := p.bundle(ctx, "channel", "add", "stable.json", bundleOf(bad), "--percent", "1", "--to", "100", "--hours", "72"); err != nil {
		return err
	}
	if err := p.publish(ctx, bundleOf(bad)); err != nil {
		return err
	}
	if err := p.bundle(ctx, "channel", "show", "stable.channel"); err != nil {
		return err
	}
	p.say("\nAll devices ask. It is the turn of the canary alone:")
	if _, err := p.ask(ctx); err != nil {
		return err
	}
	if err := p.settle(ctx, bad, nobody); err != nil {
		return err
	}
	if err := p.onlyTheCanary(ctx); err != nil {
		return err
	}
	p.say("\nThe new device-api is unhealthy, so the canary has gone back:")
	if err := p.updater(ctx, p.canary(), "journal", "show"); err != nil {
		return err
	}
	return p.updater(ctx, p.canary(), "fleet", "status")
}

// halted stops the bad release. Nobody but the canary has it then, or gets it.
func halted(ctx context.Context, p *play) error {
	p.heading("the publisher halts %s", bad)
	if err := p.bundle(ctx, "channel", "halt", "stable.json", bad, "--why", "device-api is unhealthy"); err != nil {
		return err
	}
	if err := p.publish(ctx); err != nil {
		return err
	}
	p.badSent, _ = p.answers(bundleOf(bad))
	lines, err := p.ask(ctx)
	if err != nil {
		return err
	}
	for i, line := range lines {
		if !strings.Contains(line, "version "+bad+" is halted") {
			return fmt.Errorf("%s says %q of a release that is halted", p.devices[i].name, line)
		}
	}
	return p.settle(ctx, bad, nobody)
}

// promoted takes the good release over into the channel of the fleet, for the canary.
func promoted(ctx context.Context, p *play) error {
	p.heading("release %s, which was tried on the bench with channel beta: first to 1 %%", good)
	if err := p.pack(ctx, good); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"channel", "init", "beta.json", "--product", product},
		{"channel", "add", "beta.json", bundleOf(good), "--percent", "100"},
		{"channel", "promote", "beta.json", "stable.json", good, "--percent", "1"},
	} {
		if err := p.bundle(ctx, args...); err != nil {
			return err
		}
	}
	if err := p.publish(ctx, bundleOf(good)); err != nil {
		return err
	}
	if err := p.step(ctx, 1); err != nil {
		return err
	}
	return p.updater(ctx, p.canary(), "fleet", "status")
}

// halfway lets the first half of the fleet have it. On one device of it somebody has better
// things to do.
func halfway(ctx context.Context, p *play) error {
	d := p.named(busy)
	if err := p.updater(ctx, d, "fleet", "hold", "--for", "8h", "--why", "prints the annual report"); err != nil {
		return err
	}
	d.held = true
	if err := p.ramp(ctx, 50); err != nil {
		return err
	}
	return p.updater(ctx, d, "fleet", "status")
}

// released lets go of the device that was held.
func released(ctx context.Context, p *play) error {
	p.heading("%s has printed", busy)
	d := p.named(busy)
	if err := p.updater(ctx, d, "fleet", "release"); err != nil {
		return err
	}
	d.held = false
	return p.await(ctx, d, "the offer to be installed", func(st httpapi.Status) bool { return st.Pointers.Current == good && st.Update == nil })
}

func all(ctx context.Context, p *play) error { return p.ramp(ctx, 100) }

func (p *play) ramp(ctx context.Context, percent int) error {
	p.heading("%s goes to %d %%", good, percent)
	if err := p.bundle(ctx, "channel", "ramp", "stable.json", good, "--percent", fmt.Sprint(percent)); err != nil {
		return err
	}
	if err := p.publish(ctx); err != nil {
		return err
	}
	return p.step(ctx, percent)
}

// step has all devices ask, and demands that those that are in install the good release.
func (p *play) step(ctx context.Context, percent int) error {
	if _, err := p.ask(ctx); err != nil {
		return err
	}
	in := map[int][]string{1: {canary}, 50: half()}[percent]
	if err := p.settle(ctx, good, func(d *device) bool { return percent == 100 || slices.Contains(in, d.name) }); err != nil {
		return err
	}
	_, err := p.everywhere(ctx, "current", "status")
	return err
}

// account tells what there was, and demands that nobody but the canary has ever fetched the
// bad release.
func account(ctx context.Context, p *play) error {
	p.heading("the account of it")
	if err := p.bundle(ctx, "channel", "show", "stable.channel"); err != nil {
		return err
	}
	if _, err := p.ask(ctx); err != nil {
		return err
	}
	if err := p.updater(ctx, p.canary(), "journal", "list"); err != nil {
		return err
	}
	if err := p.updater(ctx, p.devices[0], "journal", "list"); err != nil {
		return err
	}
	if err := p.onlyTheCanary(ctx); err != nil {
		return err
	}
	if sent, _ := p.answers(bundleOf(bad)); sent != p.badSent {
		return fmt.Errorf("%s was fetched although %s is halted", bundleOf(bad), bad)
	}
	sent, same := p.answers("stable.channel")
	p.say("\nOf twelve devices, the canary alone has ever begun %s. stable.channel was sent %d times, and it was enough %d times that it had not changed.", bad, sent, same)
	sum, most, err := p.memory()
	if err != nil {
		return err
	}
	p.say("The twelve daemons have %.0f MiB of memory together; the largest had %.1f MiB at most.", mib(sum), mib(most))
	p.say("All of it took %.0f seconds.", time.Since(p.began).Seconds())
	return nil
}

// onlyTheCanary demands that no journal but the canary's has the bad release.
func (p *play) onlyTheCanary(ctx context.Context) error {
	return p.each(func(_ int, d *device) error {
		list, err := d.api.Updates(ctx)
		tried := slices.ContainsFunc(list, func(u journal.Update) bool { return u.To == bad })
		if err == nil && tried != (d.name == canary) {
			err = fmt.Errorf("%s has tried %s: %t", d.name, bad, tried)
		}
		return err
	})
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func nobody(*device) bool { return false }

func (p *play) canary() *device { return p.named(canary) }

func (p *play) named(name string) *device {
	return p.devices[slices.IndexFunc(p.devices, func(d *device) bool { return d.name == name })]
}

func bundleOf(version string) string { return product + "-" + version + ".tope" }

// pack makes a signed bundle of a release.
func (p *play) pack(ctx context.Context, version string) error {
	return p.bundle(ctx, "pack", version, "--release", "release.toml", "--version", version, "--key", "release.key", "--level", "3")
}
