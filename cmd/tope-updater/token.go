package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/token"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token VERB",
		Short: "make and revoke tokens, with which programs use the HTTP API over TCP",
		Long: `Make and revoke tokens, with which programs use the HTTP API over TCP, where the
kernel does not tell who asks. A request has one in its header, "Authorization:
Bearer TOKEN". The journal names the token beside what was asked with it.

The scopes: read is reading what is private, such as the journal; install is to
begin, continue and cancel an update that the device's rules allow; operate is
everything else, which also sets those rules aside (force, retry). None has another
in it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s create, list or revoke", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.tokenCreate(), a.tokenList(), a.tokenRevoke())
	return cmd
}

// usualLife is how long a token is good when nobody says.
const usualLife = "365d"

// tokenMade is what "token create" prints with --json: the only time that the token's
// text is shown.
type tokenMade struct {
	tokenShown
	Token string `json:"token"`
}

// tokenShown is a token without what it is known by.
type tokenShown struct {
	Name    string        `json:"name"`
	Scopes  []token.Scope `json:"scopes"`
	Created time.Time     `json:"created"`
	Expires time.Time     `json:"expires,omitzero"`
	Expired bool          `json:"expired"`
}

func shownToken(t token.Token, now time.Time) tokenShown {
	return tokenShown{t.Name, t.Scopes, t.Created, t.Expires, t.Expired(now)}
}

func (a *app) tokenCreate() *cobra.Command {
	var scopes, expires string
	cmd := &cobra.Command{
		Use:   "create NAME --scope SCOPE[,SCOPE]",
		Short: "make a token and print it, once",
		Long: `Make a token and print it, once: the device keeps only its digest. NAME is how the
journal calls who asks with it. It is good at once, also for a daemon that runs.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, store, now, err := a.tokens(cmd.Context())
			if err != nil {
				return err
			}
			t := token.Token{Name: args[0], Created: now}
			if t.Scopes, err = token.ParseScopes(strings.Split(scopes, ",")); err != nil {
				return usage(err)
			}
			if t.Expires, err = token.ParseExpiry(expires, now); err != nil {
				return usage(err)
			}
			if err := token.ValidName(t.Name); err != nil {
				return usage(err)
			}
			// A device that has never had a daemon has no such directory.
			if err := disk.MkdirAll(filepath.Dir(store.Path), 0o755); err != nil {
				return err
			}
			text, err := store.Create(t)
			if err != nil {
				return err
			}
			shown := shownToken(t, now)
			return a.term.answer(tokenMade{shown, text.Reveal()}, func(term *terminal) {
				term.say("%s", text.Reveal())
				term.note("token %s may %s, and %s; it is not shown again", t.Name, join(t.Scopes), until(t.Expires))
				if d.cfg.HTTP.LAN == "" && d.cfg.HTTP.Listen == "" {
					term.note("nobody can use it yet: [http] listen and [http] lan are both empty")
				}
			})
		},
	}
	cmd.Flags().StringVar(&scopes, "scope", "", "what it is for: `SCOPE` is read, install or operate; several with commas")
	cmd.Flags().StringVar(&expires, "expires", usualLife, "`when` it expires: a time (2027-01-31T12:00:00Z), a duration (90d, 36h) or never")
	return cmd
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the tokens, without what they are known by",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, store, now, err := a.tokens(cmd.Context())
			if err != nil {
				return err
			}
			all, err := store.List()
			if err != nil {
				return err
			}
			list := make([]tokenShown, 0, len(all))
			for _, t := range all {
				list = append(list, shownToken(t, now))
			}
			return a.term.answer(struct {
				Tokens []tokenShown `json:"tokens"`
			}{list}, func(term *terminal) { term.tokens(list) })
		},
	}
}

func (t *terminal) tokens(all []tokenShown) {
	if len(all) == 0 {
		t.say("there are no tokens")
		return
	}
	rows := [][]string{{"name", "may", "created", "until (UTC)"}}
	for _, k := range all {
		end := limit(k.Expires)
		if k.Expired {
			end += ", expired"
		}
		rows = append(rows, []string{k.Name, join(k.Scopes), limit(k.Created), end})
	}
	t.table(rows...)
}

func (a *app) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "revoke a token; a daemon that runs refuses it from then on",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, store, now, err := a.tokens(cmd.Context())
			if err != nil {
				return err
			}
			gone, err := store.Revoke(args[0])
			if err != nil {
				return err
			}
			return a.term.answer(shownToken(gone, now), func(t *terminal) { t.say("token %s is revoked", gone.Name) })
		},
	}
}

// tokens are the device's, and the time to judge them at: the clock's, or the newest that
// the journal tells of, as the daemon does it.
func (a *app) tokens(ctx context.Context) (*device, token.Store, time.Time, error) {
	d, err := a.device()
	if err != nil {
		return nil, token.Store{}, time.Time{}, err
	}
	store, err := d.tokens()
	now := d.clock.Now()
	if s, serr := a.connect(ctx, reads); serr == nil {
		if st, serr := s.Status(ctx); serr == nil {
			now = httpapi.Latest(now, st.Status)
		}
		s.close()
	}
	return d, store, now, err
}

// tokens is the file of the tokens of the device.
func (d *device) tokens() (token.Store, error) {
	path, err := d.root.Path(d.cfg.Paths.Tokens())
	if err != nil {
		return token.Store{}, fmt.Errorf("cannot find the tokens: %w", err)
	}
	return token.Store{Path: path}, nil
}

func join(scopes []token.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func until(t time.Time) string {
	if t.IsZero() {
		return "does not expire"
	}
	return "expires on " + limit(t) + " UTC"
}
