package static

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// Config is for New. What has no default here is needed.
type Config struct {
	// Name is the channel's: "stable".
	Name string
	// URL is where its file is: http or https, without a user, a query or a fragment. The
	// secrets of a server belong to the settings of Web.
	URL string
	// Device has its ID, Product, Hardware, Early and Late. Ask finds out the rest.
	Device channel.Device
	// Keys loads the keys of the device. It is called for each Ask.
	Keys func() (*trust.Keys, error)
	// UpdateKeys puts a newer keys.signed in force: trust.UpdateSigned. With nil the
	// device takes no keys from the channel's server.
	UpdateKeys func(ctx context.Context, signed []byte) error
	// Clock measures time limits, and knows the boot.
	Clock clock.Clock
	// Build is when this program was built: it is never earlier than that.
	Build time.Time
	// Web makes the requests: a *fetch.Transport.
	Web http.RoundTripper
	// Version is this program's, for the server's log.
	Version string
}

// Source asks for one channel. Its methods are called one at a time.
type Source struct {
	cfg Config
	url *url.URL
	// have is the last good file, and tag its ETag; nil and empty for none. It has no
	// Body, and only the releases that may concern this device.
	have *channel.Signed
	tag  string
}

var _ fleet.Source = (*Source)(nil)

// New makes a source, and says what is wrong with the configuration. It asks nobody.
func New(cfg Config) (*Source, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil: // the reason may quote a password
		return nil, errors.New("the channel's URL cannot be parsed; write it like https://HOST/NAME.channel")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the channel's URL %s has a user, a query or a fragment; write it like https://HOST/NAME.channel, and put what the server asks for into header_files of a [[download.server]]",
			source.Show(u))
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, fmt.Errorf("the channel's URL %q is neither http nor https; write it like https://HOST/NAME.channel", cfg.URL)
	}
	return &Source{cfg: cfg, url: u}, nil
}

// Name is "channel NAME".
func (s *Source) Name() string { return "channel " + s.cfg.Name }

// Place is the channel's URL.
func (s *Source) Place() string { return s.url.String() }

// Listens is false: nobody hears what becomes of an offer.
func (*Source) Listens() bool { return false }

// Identify does nothing, as do all the methods below.
func (*Source) Identify(context.Context, map[string]string) error { return nil }

// Confirm is never needed.
func (*Source) Confirm(context.Context, journal.Origin, bool, string) error { return nil }

// Uncancel tells nobody.
func (*Source) Uncancel(context.Context, journal.Origin, string) error { return nil }

// Tell tells nobody.
func (*Source) Tell(context.Context, journal.Notice) error { return nil }

const uncheckable = "whether the channel is signed cannot be checked"

// Ask fetches the channel, judges it and chooses. When newer keys may be what is missing,
// it fetches keys.signed beside the channel and judges once more.
func (s *Source) Ask(ctx context.Context, q fleet.Question) (fleet.Answer, error) {
	known := recall(q.Facts)
	keys, unchecked := s.cfg.Keys()
	tag := ""
	if s.have != nil && (unchecked != nil || len(signers(s.have, keys)) > 0) {
		tag = s.tag
	}
	// It is asked for also without keys: a device whose keys have expired is not cut off.
	got, err := s.fetch(ctx, s.url, tag, channel.MaxFile)
	switch {
	case err != nil:
		return fleet.Answer{}, err
	case unchecked != nil:
		return fleet.Answer{}, failure(s.url, uncheckable, unchecked, true)
	}
	r := round{Source: s, q: q, known: known, got: got}
	r.judge(keys)
	if r.wantsKeys(keys) {
		if problem := s.updateKeys(ctx, keys); problem != nil {
			r.note = "; keys.signed beside it does not help: " + problem.Error()
		} else if keys, err = s.cfg.Keys(); err != nil {
			return fleet.Answer{Facts: r.facts()}, failure(s.url, uncheckable, err, true)
		} else {
			r.judge(keys)
		}
	}
	if r.err != nil {
		return fleet.Answer{Facts: r.facts()}, failure(s.url, "", fmt.Errorf("%w%s", r.err, r.note), true)
	}
	return r.answer(), nil
}

// updateKeys fetches keys.signed beside the channel and puts it in force. nil: there are
// newer keys now.
func (s *Source) updateKeys(ctx context.Context, keys *trust.Keys) error {
	got, err := s.fetch(ctx, s.url.ResolveReference(&url.URL{Path: "keys.signed"}), "", maxKeys)
	if err != nil {
		return err
	}
	if err := s.cfg.UpdateKeys(ctx, got.body); err != nil {
		return err
	}
	if now, err := s.cfg.Keys(); err == nil && now.Rotation() != nil && now.Rotation().Serial == keys.Rotation().Serial {
		return fmt.Errorf("it has serial %d, which is in force already", keys.Rotation().Serial)
	}
	return nil
}
