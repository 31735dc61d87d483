package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

func sha(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// declaring is the source of a server that declares a file's SHA-256.
func declaring(url string, b []byte) func(*steps.Task) {
	return func(t *steps.Task) {
		t.Source = steps.Source{URL: source.New(url), Size: int64(len(b)), SHA256: sha(b)}
	}
}

// A file that is fetched whole has the declared SHA-256, or is refused, and nobody goes on
// from it.
func TestTheDeclaredSHA256(t *testing.T) {
	b, other := bundleOf(200_000, 1), bundleOf(200_000, 2)
	p := publish(t, always(b), nil)
	task := newTask(t, declaring(p.URL, b))
	requireBundle(t, task, b, mustDo(t, stepFor(newPatient()), task))

	task = newTask(t, declaring(p.URL, other))
	shelf := t.TempDir()
	step := stepFor(newPatient(), func(c *Config) { c.Shelf = shelf })
	text := stepstest.Fails(t, step, task, steps.Refused, steps.SHA256Mismatch)
	require.Contains(t, text, "the SHA-256 is "+sha(b)+", "+sha(other)+" was declared")
	requireNoBundle(t, task, 0)

	task = newTask(t, declaring(p.URL, b), func(t *steps.Task) { t.Source.MD5 = sum(other) })
	stepstest.Fails(t, step, task, steps.Refused, steps.MD5Mismatch)
	task = newTask(t, declaring(p.URL, other), func(t *steps.Task) { t.Source.MD5 = sum(b) })
	stepstest.Fails(t, step, task, steps.Refused, steps.SHA256Mismatch)
}

// A download with a declared SHA-256 goes on over a kill like another, without hashing
// anew; over one whose checkpoint has no such state it reads what it has for it. Either
// way the digest of all of it is right, and only the rest is fetched.
func TestTheSHA256IsResumed(t *testing.T) {
	b := bundleOf(10<<20, 1)
	for _, forgets := range []bool{false, true} {
		s := serve(t, first(func(k talk) {
			k.printf("HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %d\r\n\r\n", tag, len(b))
			for at := 0; at < 6<<20; at += 1 << 20 {
				k.body(b[at : at+1<<20])
				k.received(at + 1<<20)
				k.s.clk.Advance(time.Second)
			}
			<-k.gone()
		}, func(k talk) { k.file(b, tag, -1) }))
		notes := stepstest.NewNotes()
		task := newTask(t, declaring(s.url(), b))
		task.Notes = honest{notes, t, task.WorkDir}
		s.meter.Store(task.Meter)
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := stepFor(s.clk).Do(ctx, task)
			ended <- err
		}()
		for saved := (checkpoint{}); saved.Offset < 4<<20; {
			_, err := notes.Load(&saved)
			require.NoError(t, err)
		}
		after, kept := image(t, task, notes)
		cancel(errors.New("killed"))
		require.Error(t, <-ended)

		c := saved(t, kept)
		require.NotEmpty(t, c.SHA256)
		if forgets {
			c.SHA256 = nil
			require.NoError(t, kept.Save(c))
		}
		before := s.bytesSent()
		requireBundle(t, after, b, mustDo(t, stepFor(s.clk), after))
		require.Equal(t, int64(len(b))-c.Offset, s.bytesSent()-before)
	}
}

// What an update had fetched before its bundle was journaled is adopted only with the
// declared SHA-256.
func TestAWholeBundleIsAdoptedByItsSHA256(t *testing.T) {
	b, other := bundleOf(200_000, 1), bundleOf(200_000, 2)
	p := publish(t, always(b), nil)
	for _, there := range [][]byte{b, other} {
		task := newTask(t, declaring(p.URL, b))
		require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, bundle.FileName), there, 0o600))
		ev := requireBundle(t, task, b, mustDo(t, stepFor(newPatient()), task))
		require.Equal(t, string(there) == string(b), ev.Received == 0)
	}

	// A checkpoint that is not of this file is not gone on from.
	s := newSink("", nil, true)
	s.count(other)
	state := states{}
	var err error
	state.Hash, err = marshal(s.hash)
	require.NoError(t, err)
	state.SHA256, err = marshal(s.sha)
	require.NoError(t, err)
	task := newTask(t, declaring(p.URL, b))
	require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, bundle.FileName), b, 0o600))
	require.NoError(t, task.Notes.Save(checkpoint{Offset: int64(len(b)) + 1, Total: unknown, states: state}))
	require.Zero(t, requireBundle(t, task, b, mustDo(t, stepFor(newPatient()), task)).Received)
}

// The part of a package with a declared SHA-256 belongs to that package, whatever its link.
func TestThePartOfASHA256(t *testing.T) {
	b, other := bundleOf(900_000, 1), bundleOf(900_000, 2)
	for name, c := range map[string]struct {
		next []byte
		all  int64
	}{"the same": {b, 900_000}, "another": {other, 1_350_000}} {
		t.Run(name, func(t *testing.T) {
			shelf := func(dir string) func(*Config) { return func(c *Config) { c.Shelf = dir } }(t.TempDir())
			n := 0
			s := serve(t, func(k talk) {
				switch n++; {
				case n == 1:
					k.file(b, tag, 450_000)
				case k.req.URL.Path == "/next":
					k.file(c.next, tag, -1)
				default:
					answer("HTTP/1.1 403 Forbidden\nContent-Length: 0")(k)
				}
			})
			task := newTask(t, declaring(s.url(), b))
			stepstest.Fails(t, stepFor(s.clk, shelf), task, steps.Unavailable, steps.DownloadFailed)
			require.NoError(t, stepFor(s.clk, shelf).Undo(t.Context(), task))
			task = newTask(t, declaring("http://"+s.l.Addr().String()+"/next", c.next))
			requireBundle(t, task, c.next, mustDo(t, stepFor(s.clk, shelf), task))
			require.Equal(t, c.all, s.bytesSent())
		})
	}
}

// A declared SHA-256 is the whole file's. A release that a key of the device has signed
// comes in parts all the same; one that nobody has signed is fetched whole and compared.
func TestWhoVouchesForParts(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 3000})
	p := publish(t, always(h.b), nil)
	h.by = "ab12"
	task := newTask(t, declaring(p.URL, h.b))
	requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Equal(t, []string{"0-511", "512-1023", "2000-4999"}, p.asked())

	h.by = ""
	plans := len(h.asked)
	p = publish(t, always(h.b), nil)
	task = newTask(t, declaring(p.URL, h.b))
	requireBundle(t, task, h.b, mustDo(t, partialStep(h), task))
	require.Equal(t, []string{"0-511", "512-1023", ""}, p.asked())
	require.Len(t, h.asked, plans, "nothing is planned for it")

	again := stepstest.Again(task) // cut before its answer was journaled
	requireBundle(t, again, h.b, mustDo(t, partialStep(h), again))
	require.Len(t, p.asked(), 3, "it is there, and is not fetched again")

	p = publish(t, always(h.b), nil)
	task = newTask(t, declaring(p.URL, bundleOf(1<<20, 9)))
	stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.SHA256Mismatch)
	requireNoBundle(t, task, 0)
}

// The key that has signed was taken away while the parts came: what is there is not
// trusted any more, and the file is fetched whole.
func TestPartsOfARevokedKey(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 300_000})
	h.by = "ab12"
	p := publish(t, always(h.b), nil)
	task := newTask(t, declaring(p.URL, h.b))
	requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	h.by = ""
	for _, name := range []string{bundle.PlanFile, bundle.LackingFile} {
		require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, name), []byte("{}"), 0o600))
	}
	again := stepstest.Again(task)
	requireBundle(t, again, h.b, mustDo(t, partialStep(h), again))
	require.NoFileExists(t, filepath.Join(task.WorkDir, bundle.PlanFile))
	require.NoFileExists(t, filepath.Join(task.WorkDir, bundle.LackingFile))
}

// Only a signed release will do: everything else is refused by its head, or by its first
// bytes, whatever its name is and what else is declared. Nothing of it stays.
func TestOnlyASignedRelease(t *testing.T) {
	b := bundleOf(1<<20, 3)
	h := published(1<<20, [2]int64{2000, 500_000})
	signed := func(t *steps.Task) { t.Source.Signed = true }
	for name, c := range map[string]struct {
		b      []byte
		source func(url string) func(*steps.Task)
		most   int64
	}{
		"a head that nobody has signed":  {h.b, func(url string) func(*steps.Task) { return at(url + "/x.tope") }, headSize},
		"with a declared MD5":            {h.b, func(url string) func(*steps.Task) { return from(url+"/x.tope", h.b) }, headSize},
		"with a declared SHA-256":        {h.b, func(url string) func(*steps.Task) { return declaring(url+"/x.tope", h.b) }, headSize},
		"a package":                      {b, func(url string) func(*steps.Task) { return at(url + "/x") }, probeSize},
		"a package with a declared MD5":  {b, func(url string) func(*steps.Task) { return from(url+"/x", b) }, probeSize},
		"a package with a declared hash": {b, func(url string) func(*steps.Task) { return declaring(url+"/x", b) }, probeSize},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, always(c.b), nil)
			task := newTask(t, c.source(p.URL), signed)
			text := stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.BadSignature)
			require.Contains(t, text, "must be signed, whatever allow_unsigned says")
			require.Equal(t, c.most, p.bytes())
			requireNoBundle(t, task, 0)
		})
	}
	h.by = "ab12"
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL), signed)
	requirePieces(t, h, task, mustDo(t, partialStep(h), task))

	h.revoked = true // between the look at the head and the plan
	task = newTask(t, at(p.URL), signed)
	stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.BadSignature)
}

// The engine is asked about the release before any of the payload is, however it is
// fetched; a file that has no digest of its own cannot be what was offered.
func TestTheOfferIsJudgedByTheHead(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 500_000})
	no := refused(steps.OfferMismatch, "", "another release")
	for name, declare := range map[string]func(url string) func(*steps.Task){
		"MD5":     func(url string) func(*steps.Task) { return from(url, h.b) },
		"SHA-256": func(url string) func(*steps.Task) { return declaring(url, h.b) },
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, always(h.b), nil)
			task := newTask(t, declare(p.URL), func(t *steps.Task) {
				t.Source.Digest = "sha256:y"
				t.Accept = func(r steps.Release) error {
					if r.Digest == "sha256:x" {
						return no
					}
					return nil
				}
			})
			stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.OfferMismatch)
			require.Equal(t, int64(headSize), p.bytes())
			requireNoBundle(t, task, 0)
		})
	}
	p := publish(t, always(bundleOf(1<<20, 3)), func(_ int, w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return w })
	task := newTask(t, at(p.URL+"/x"), func(t *steps.Task) { t.Source.Digest = "sha256:y" })
	text := stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.OfferMismatch)
	require.Contains(t, text, "sha256:y")
	require.Equal(t, int64(probeSize), p.bytes())
}

// renamed is a format that looks, once it has the source's head, whether the file has the
// bundle's name still.
type renamed struct{ *halved }

func (r renamed) Plan(ctx context.Context, t *steps.Task, begin []byte, ranged bool) (bundle.Parts, error) {
	if _, err := os.Lstat(filepath.Join(t.WorkDir, bundle.FileName)); err == nil && string(begin) == string(r.b[:headSize]) {
		return bundle.Parts{}, refused(steps.Internal, "", "it has the bundle's name still")
	}
	return r.halved.Plan(ctx, t, begin, ranged)
}

// A bundle of an earlier run whose head is damaged gets another head only under the part
// file's name: a file called bundle is always complete.
func TestADamagedBundleLosesItsName(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 3000})
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL))
	damaged := append([]byte(nil), h.b...)
	damaged[headSize-1] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, bundle.FileName), damaged, 0o600))
	requirePieces(t, h, task, mustDo(t, partialStep(h, func(c *Config) { c.Partial = renamed{h} }), task))
}
