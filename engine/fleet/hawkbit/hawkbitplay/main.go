// Hawkbitplay plays a device of package hawkbit against a server that runs somewhere. It
// is for those who have one, and for CI.
//
//	TENANT=DEFAULT ADMIN=admin PASSWORD=... hawkbitplay --url http://127.0.0.1:8080 table
//
// plays the whole table: a device and its bundles are made by the server's Management API,
// assigned in each way that there is, cancelled, confirmed, and removed at the end. Each
// answer that is not as package ddi and its fake have it is named, and makes it fail. The
// tenant's settings for target tokens and confirmation are changed meanwhile, so it is not
// for a tenant with devices that work.
//
//	hawkbitplay --url URL --id ID --token-file FILE [--again COMMAND] device [attribute=value...]
//
// plays one device that the server knows, and that has an action assigned: .ci/goosebit
// plays that. COMMAND assigns the same once more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/secret"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hawkbitplay:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("url", "", "the server's URL")
	id := flag.String("id", "", "the device's id")
	tokenFile := flag.String("token-file", "", "the file with the device's token")
	again := flag.String("again", "", "the command that assigns the same once more")
	full := flag.Bool("full", false, "fill an action with its 1,000 entries as well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	clk := clock.System()
	d := &device{
		out: os.Stdout, clk: clk, wait: time.Minute,
		cfg: ddi.Config{
			URL: *url, Tenant: os.Getenv("TENANT"), ID: *id, Auth: ddi.TargetToken, Clock: clk, Version: "hawkbitplay",
			Token: func() (secret.Text, error) { return secret.Read(*tokenFile) },
			Web:   fetch.New(fetch.Config{Clock: clk, Settings: fetch.Settings{Proxy: fetch.NoProxy}}),
		},
	}
	if d.cfg.Tenant == "" {
		d.cfg.Tenant = "DEFAULT"
	}
	var err error
	switch flag.Arg(0) {
	case "table":
		m := &manager{url: *url, user: os.Getenv("ADMIN"), password: secret.New(os.Getenv("PASSWORD")), web: d.cfg.Web}
		err = playTable(ctx, d, m, *full)
	case "device":
		err = d.playOne(ctx, flag.Args()[1:], *again)
	default:
		return errors.New("say what to play: table, or device")
	}
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(cause, err)
	}
	return err
}
