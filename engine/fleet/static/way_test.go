package static_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/static"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/fetch/fetchtest"
	"github.com/tope/updater/steps/bundle/channel"
)

// Endless data: the device reads what is allowed, and no more.
func TestEndlessData(t *testing.T) {
	w := online(t, func(rw http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	_, err := w.ask()
	require.ErrorContains(t, err, "more than the 262144 bytes allowed")
}

// Slow data: one byte a second ends after a minute, whatever comes.
func TestSlowData(t *testing.T) {
	came, next := make(chan bool), make(chan bool)
	w := online(t, func(rw http.ResponseWriter, r *http.Request) {
		for {
			_, _ = rw.Write([]byte(" "))
			_ = http.NewResponseController(rw).Flush()
			select {
			case came <- true:
				<-next
			case <-r.Context().Done():
				return
			}
		}
	})
	done := make(chan error)
	go func() {
		_, err := w.source.Ask(t.Context(), w.q)
		done <- err
	}()
	for range 60 {
		<-came
		w.clock.Advance(time.Second)
		select {
		case next <- true:
		case err := <-done:
			require.ErrorContains(t, err, "no whole answer within 1m0s")
			close(next)
			return
		}
	}
	require.ErrorContains(t, <-done, "no whole answer within 1m0s")
	close(next)
}

// secure is a world whose device trusts a server of its own authority.
func secure(t *testing.T, h http.HandlerFunc) *world {
	t.Helper()
	w := newWorld(t)
	authority := fetchtest.NewAuthority(t)
	server := httptest.NewUnstartedServer(h)
	server.TLS = authority.Server("127.0.0.1")
	server.StartTLS()
	t.Cleanup(server.Close)
	w.cfg.URL = server.URL + "/stable.channel"
	w.clock.SetNow(time.Now())
	w.cfg.Web = fetch.New(fetch.Config{Settings: fetch.Settings{Proxy: fetch.NoProxy, CAFile: authority.File}, Clock: w.clock})
	w.start()
	return w
}

// Downgrade of transport: neither a redirect nor a release leads from https to http.
func TestDowngradeOfTransport(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	to := plain.URL + "/stable.channel?token=" + secretWord
	var w *world
	w = secure(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stable.channel" {
			http.Redirect(rw, r, to, http.StatusFound)
			return
		}
		w.ServeHTTP(rw, r)
	})
	_, err := w.ask()
	require.ErrorContains(t, err, "only https is followed")
	require.NotContains(t, err.Error(), secretWord)
	for _, to = range []string{"ftp://updates.example/x", "file:///etc/passwd", "%zz?token=" + secretWord, ""} {
		_, err = w.ask()
		require.Error(t, err, to)
		require.NotContains(t, err.Error(), secretWord)
	}
	w.requests()
	// A redirect within https is followed, and the bundle is beside the channel's own URL.
	to = "/elsewhere/real.channel?token=" + secretWord
	w.releases = []channel.Release{w.release("1.1.0", "a")}
	w.put("elsewhere/real.channel", sealed(t, w.next(), w.online))
	o := w.offered()
	base, err := url.Parse(w.cfg.URL)
	require.NoError(t, err)
	require.Equal(t, "https://"+base.Host+"/app-1.1.0.tope", o.Source.URL.Unredacted())
	require.Equal(t, "app-1.1.0.tope", o.Source.Name)
	w.offered()
	require.Equal(t, []string{"GET /elsewhere/real.channel 200", "GET /elsewhere/real.channel 304"}, w.requests())
	to = "/stable.channel"
	_, err = w.ask()
	require.ErrorContains(t, err, "more than 10 times")
}

func TestRetryAfterIsRead(t *testing.T) {
	after := ""
	var now time.Time // the server's, by which it says when: not this device's, which may be wrong
	w := online(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Retry-After", after)
		rw.Header().Set("Date", now.Format(http.TimeFormat))
		rw.WriteHeader(http.StatusServiceUnavailable)
	})
	now = w.clock.Now().UTC()
	w.clock.Advance(1000 * day)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "99999999": day, "0": 0, "-3": 0, "soon": 0,
		now.Add(2 * day).Format(http.TimeFormat):   day,
		now.Add(time.Hour).Format(http.TimeFormat): time.Hour,
		"Wed, 21 Oct 2015 07:28:00 GMT":            0,
	} {
		after = text
		_, err := w.ask()
		require.ErrorContains(t, err, "it answers 503 Service Unavailable")
		var wait *fleet.Wait
		if want == 0 {
			require.NotErrorAs(t, err, &wait)
			continue
		}
		require.ErrorAs(t, err, &wait, text)
		require.Equal(t, want, wait.For)
	}
}

// Headers of a server that stops sending tags, or sends nonsense, cost a whole file.
func TestServersWithoutSoundTags(t *testing.T) {
	tag := ""
	var asked []string
	var w *world
	w = online(t, func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match"))
		rw.Header().Set("ETag", tag)
		_, _ = rw.Write(w.files["stable.channel"])
	})
	w.publish()
	for _, tag = range []string{`W/"good"`, "", `"` + strings.Repeat("x", 300) + `"`, `"x"`} {
		w.waits("newest")
	}
	w.waits("newest")
	require.Equal(t, []string{"", `W/"good"`, "", "", `"x"`}, asked)
	// Nobody has asked whether it has changed.
	w = online(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotModified) })
	_, err := w.ask()
	require.ErrorContains(t, err, "it answers 304")
}

// fails is a way on which nothing comes through.
type fails struct{ text string }

func (f fails) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.text == "" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return nil, errors.New(f.text)
}

// Errors of others are one line without secrets.
func TestErrorsOfOthers(t *testing.T) {
	w := newWorld(t)
	w.cfg.Web = fails{"cannot get https://a:" + secretWord + "@host/x?token=" + secretWord + "\nor so"}
	w.start()
	_, err := w.ask()
	require.EqualError(t, err, "http://updates.example/stable.channel: cannot get https://host/x?token=… or so")
	// Who ends a request is named by its cause.
	w.cfg.Web = fails{}
	w.start()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the updater stops"))
	_, err = w.source.Ask(ctx, w.q)
	require.EqualError(t, err, "http://updates.example/stable.channel: the updater stops")
}

func TestURLs(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{
		"", "stable.channel", "/srv/stable.channel", "ftp://updates.example/x", "https://", "https://u:" + secretWord + "@updates.example/x",
		"https://updates.example/x?token=" + secretWord, "https://updates.example/x#" + secretWord, "https://u:" + secretWord + "@[::1/x", "https://%zz/",
	} {
		w.cfg.URL = text
		_, err := static.New(w.cfg)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), secretWord)
	}
}

func TestKeysThatCannotBeRead(t *testing.T) {
	w := online(t)
	w.publish()
	w.waits("newest")
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "keys.json"), []byte("torn"), 0o600))
	a, err := w.ask()
	require.ErrorContains(t, err, "keys.json")
	require.Nil(t, a.Facts)
	require.NoError(t, os.Remove(filepath.Join(w.dir, "keys.json")))
	w.waits("newest")
}
