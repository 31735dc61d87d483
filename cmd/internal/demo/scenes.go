package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
)

type scene func(context.Context, *device) error

// scenes is the play.
func scenes() []scene { return []scene{start, good, bad, killed, account} }

func start(ctx context.Context, d *device) error {
	d.heading("a device with version 1.0.0 of two services, below %s", d.Root)
	if err := d.boot(ctx); err != nil {
		return err
	}
	if err := d.await(ctx, "the services to run", func(st httpapi.Status) bool {
		return !slices.ContainsFunc(st.Services, func(s httpapi.Service) bool { return !s.Running })
	}); err != nil {
		return err
	}
	if err := d.updater(ctx, 0, "status"); err != nil {
		return err
	}
	return d.updater(ctx, 0, "versions")
}

func good(ctx context.Context, d *device) error {
	d.heading("a good update: 1.1.0")
	return d.updater(ctx, 0, "install", d.packages+"/tope-1.1.0.zip")
}

func bad(ctx context.Context, d *device) error {
	d.heading("a bad update: device-api 1.2.0 starts, but says it is unhealthy")
	if err := d.updater(ctx, 12, "install", d.packages+"/tope-1.2.0.zip"); err != nil {
		return err
	}
	d.say("\nIt is in quarantine now, and not tried again unasked:")
	return d.updater(ctx, 10, "install", d.packages+"/tope-1.2.0.zip")
}

// killed cuts 1.3.0 twice: while it downloads, and at a worse time, when the
// device has switched to it and the gate has not passed it yet.
func killed(ctx context.Context, d *device) error {
	d.heading("kill -9 in the middle of 1.3.0, twice")
	args := []string{"install", d.packages + "/tope-1.3.0.zip"}
	d.prompt(args...)
	install := d.command(ctx, args...)
	if err := install.Start(); err != nil {
		return err
	}
	most := func(st httpapi.Status) bool {
		u := st.Update
		return u != nil && u.State == engine.Downloading && u.Total > 0 && u.Bytes > u.Total/10*8
	}
	gate := func(st httpapi.Status) bool { return st.Update != nil && st.Update.State == engine.CheckingHealth }
	for _, cut := range []struct {
		what string
		when func(httpapi.Status) bool
	}{{"most of the download", most}, {"the health gate", gate}} {
		if err := d.await(ctx, cut.what, cut.when); err != nil {
			return err
		}
		if err := d.kill(); err != nil {
			return err
		}
		if err := d.updater(ctx, 0, "recover"); err != nil { // as at a boot
			return err
		}
		d.prompt("serve")
		if err := d.boot(ctx); err != nil {
			return err
		}
	}
	if err := install.Wait(); err != nil {
		return fmt.Errorf("the interrupted update of 1.3.0: %w", err)
	}
	return d.updater(ctx, 0, "status")
}

func account(ctx context.Context, d *device) error {
	d.heading("the journal's account of all of it")
	for _, args := range [][]string{{"journal", "list"}, {"journal", "show", "--all"}, {"journal", "verify"}, {"versions", "--verify"}} {
		if err := d.updater(ctx, 0, args...); err != nil {
			return err
		}
	}
	return nil
}
