package download

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

const token = "T0KEN"

// careless adds the token to whatever it is given, which a real one would not do.
func careless(credential string, req *http.Request) error {
	if credential != "hawkbit" {
		return fmt.Errorf("there are no credentials of %q", credential)
	}
	req.Header.Set("Authorization", "TargetToken "+token)
	return nil
}

// sentTo notes what a server was asked, and answers.
type sentTo struct {
	*httptest.Server
	mu   sync.Mutex
	seen []http.Header
}

func noting(t *testing.T, answer http.HandlerFunc) *sentTo {
	t.Helper()
	s := &sentTo{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Clone())
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sentTo) tokens() (with, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.seen {
		if h.Get("Authorization") == "TargetToken "+token {
			with++
		}
	}
	return with, len(s.seen)
}

func ranged(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "x.tope", time.Time{}, bytes.NewReader(b))
	}
}

func ofHawkbit(s *steps.Source) { s.Credential = "hawkbit" }

// Every request for parts of a bundle, and the one after a cut, has the token, and so has
// each of the next process.
func TestEveryRequestIsAuthorized(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 3000}, [2]int64{500_000, 100_000})
	cuts := 0
	s := noting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if cuts++; cuts == 4 {
			w = &cutting{w, 50_000}
		}
		ranged(h.b)(w, r)
	})
	task := newTask(t, at(s.URL))
	ofHawkbit(&task.Source)
	authorize := func(c *Config) { c.Authorize = careless }
	requirePieces(t, h, task, mustDo(t, partialStep(h, authorize), task))
	with, all := s.tokens()
	require.Equal(t, all, with)
	require.Equal(t, 5, all)

	again := stepstest.Again(task) // in another process, which fetches what is lacking
	h.pieces = append(h.pieces, h.piece(700_000, 1000))
	mustDo(t, partialStep(h, authorize), again)
	with, all = s.tokens()
	require.Equal(t, all, with)
	require.Equal(t, 6, all)
}

// A redirect to the server itself is authorized; one to any other origin, be it another
// port of the same host, is not even asked for, and does not inherit the header.
func TestTheTokenStaysAtItsOrigin(t *testing.T) {
	b := bundleOf(10_000, 1)
	other := noting(t, func(w http.ResponseWriter, r *http.Request) {
		if from := r.URL.Query().Get("back"); from != "" {
			http.Redirect(w, r, from, http.StatusFound)
			return
		}
		_, _ = w.Write(b)
	})
	var first *sentTo
	first = noting(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away.zip":
			http.Redirect(w, r, other.URL+"/r.zip", http.StatusFound)
		case "/astray.zip":
			http.Redirect(w, r, other.URL+"/r.zip?back="+first.URL+"/r.zip", http.StatusFound)
		case "/near.zip":
			http.Redirect(w, r, "/r.zip", http.StatusFound)
		default:
			_, _ = w.Write(b)
		}
	})
	for path, c := range map[string]struct{ first, other int }{
		"/away.zip": {1, 1}, "/near.zip": {2, 0}, "/astray.zip": {2, 1}, "/r.zip": {1, 0},
	} {
		t.Run(path, func(t *testing.T) {
			first.seen, other.seen = nil, nil
			task := newTask(t, from(first.URL+path, b))
			ofHawkbit(&task.Source)
			mustDo(t, stepFor(newPatient(), func(c *Config) { c.Authorize = careless }), task)
			with, all := first.tokens()
			require.Equal(t, c.first, with)
			require.Equal(t, with, all)
			with, all = other.tokens()
			require.Zero(t, with)
			require.Equal(t, c.other, all)
			for _, h := range other.seen {
				require.NotContains(t, fmt.Sprint(h), token)
			}
		})
	}
}

// A source without credentials gets none, and neither does one on a device that has none.
func TestNobodysCredentials(t *testing.T) {
	b := bundleOf(10_000, 1)
	s := noting(t, ranged(b))
	mustDo(t, stepFor(newPatient(), func(c *Config) { c.Authorize = careless }), newTask(t, from(s.URL, b)))
	task := newTask(t, from(s.URL, b))
	ofHawkbit(&task.Source)
	mustDo(t, stepFor(newPatient()), task)
	with, all := s.tokens()
	require.Zero(t, with)
	require.Equal(t, 2, all)
}

// Credentials that cannot be used are waited for: somebody corrects the file. No request is
// made without them, and what is written of all this has no token.
func TestCredentialsAreWaitedFor(t *testing.T) {
	b := bundleOf(10_000, 1)
	s := noting(t, ranged(b))
	clk := newPatient()
	task := newTask(t, from(s.URL, b))
	ofHawkbit(&task.Source)
	missing := true
	var log bytes.Buffer
	step := stepFor(clk, whenPaused(clk, task, func(why string) {
		require.Equal(t, "the server's credentials cannot be used: open /etc/token: no such file", why)
		require.Empty(t, s.seen)
		missing = false
	}), func(c *Config) {
		c.Web = reach(clk, fetch.Settings{})
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Authorize = func(name string, req *http.Request) error {
			if missing {
				return errors.New("open /etc/token: no such file")
			}
			return careless(name, req)
		}
	})
	ev := requireBundle(t, task, b, mustDo(t, step, task))
	require.Equal(t, []string{noCredentials}, kinds(ev))
	written, err := json.Marshal(ev)
	require.NoError(t, err)
	require.NotContains(t, string(written)+log.String(), token)
}

// A server that refuses the token: the error says whose credentials to look at.
func TestARefusedToken(t *testing.T) {
	s := noting(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Header.Get("Authorization"), http.StatusUnauthorized)
	})
	task := newTask(t, from(s.URL, bundleOf(10, 1)))
	ofHawkbit(&task.Source)
	text := stepstest.Fails(t, stepFor(newPatient(), func(c *Config) { c.Authorize = careless }), task, steps.Unavailable, steps.DownloadFailed)
	require.Contains(t, text, "check the token or certificate of hawkbit")
	require.NotContains(t, text, token)

	// The body of an answer without sense is a way for a token to come back, too.
	odd := noting(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "ftp://h/"+strings.TrimPrefix(r.Header.Get("Authorization"), "TargetToken "))
		w.WriteHeader(http.StatusFound)
	})
	task = newTask(t, from(odd.URL, bundleOf(10, 1)))
	task.Source.URL = source.New(odd.URL)
	ofHawkbit(&task.Source)
	stepstest.Fails(t, stepFor(newPatient(), func(c *Config) { c.Authorize = careless }), task, steps.Unavailable, steps.DownloadFailed)
}
