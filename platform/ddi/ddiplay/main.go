// Ddiplay plays a device against a server of Direct Device Integration that runs
// somewhere, with the client of package ddi: it is told what it is refused without its
// token, tells what it is, waits for an action with one bundle, fetches that in two
// ranges, compares it with a file, and tells how it went. It ends with an error at the
// first answer that is not as the client promises.
//
//	ddiplay --url http://127.0.0.1:8080 --id dev1 --token-file FILE --bundle FILE [attribute=value...]
//
// .ci/goosebit plays it against goosebit. The action must be assigned, or be assigned
// meanwhile, and the bundle is a file of the same content as the one that is assigned.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/secret"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ddiplay:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("url", "", "the server's URL")
	tenant := flag.String("tenant", "DEFAULT", "the tenant")
	id := flag.String("id", "", "the device's id")
	auth := flag.String("auth", string(ddi.TargetToken), "TargetToken, or GatewayToken")
	tokenFile := flag.String("token-file", "", "the file with the token")
	bundle := flag.String("bundle", "", "the file that the assigned bundle is a copy of")
	wait := flag.Duration("wait", time.Minute, "how long to wait for an action")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	clk := clock.System()
	p := player{out: os.Stdout, clk: clk, wait: *wait, attributes: map[string]string{}}
	for _, text := range flag.Args() {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("%q is not attribute=value", text)
		}
		p.attributes[name] = value
	}
	var err error
	if p.bundle, err = os.ReadFile(*bundle); err != nil {
		return err
	}
	p.cfg = ddi.Config{
		URL: *url, Tenant: *tenant, ID: *id, Auth: ddi.Auth(*auth), Clock: clk, Version: "ddiplay",
		Token: func() (secret.Text, error) { return secret.Read(*tokenFile) },
		Web:   fetch.New(fetch.Config{Clock: clk, Settings: fetch.Settings{Proxy: fetch.NoProxy}}),
	}
	err = p.play(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(cause, err)
	}
	return err
}
