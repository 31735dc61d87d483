package download

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/platform/background"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// PartFile is the name, in the update's directory, under which the bundle
// grows; it becomes bundle.FileName once it is whole and synced.
const PartFile = bundle.FileName + ".part"

// Config configures the step. A field that is zero takes the default named here.
type Config struct {
	// Clock is needed; Log is slog.Default() when nil.
	Clock clock.Clock
	Log   *slog.Logger
	// Version is the updater's own, for the User-Agent header.
	Version string
	// MaxSize bounds a bundle whose size was not declared: 8 GiB.
	MaxSize int64
	// CheckpointTime (2 s) and the number of bytes (4 MiB) have both to pass after
	// one checkpoint before the next.
	CheckpointTime  time.Duration
	CheckpointBytes int64
	// Reserve is the space in bytes that a download leaves free on the file system, from
	// its first byte to its last: DefaultReserve.
	Reserve uint64
	Limits  Limits
	// Outside is the path of the device's / for files that this process cannot see
	// under their own names, because it has a /tmp of its own; "" for none.
	Outside string
	// Shelf is a directory on the file system of the work directories, where the part of a
	// download that was not finished outlives its update; "" keeps none.
	Shelf string
	// Web reaches the servers: fetch.New without settings.
	Web *fetch.Transport
	// Authorize adds the credentials of that name (steps.Source.Credential) to a request,
	// if they are for its server. It is called for each request to the origin of the
	// source's URL, so that a renewed token is in force with the next one, and never for
	// another origin, where a redirect may lead. Its errors have no secret in them, and are
	// waited out. nil adds none.
	Authorize func(credential string, req *http.Request) error
	// Partial is the format of which only parts are fetched; nil for none. A
	// source with a declared MD5 is always downloaded whole, and one with a declared
	// SHA-256 when no key of this device has signed the release.
	Partial Partial
	// Preflight returns an error when there is not enough room: disk.Preflight.
	Preflight func(path string, bytes, inodes uint64) error
	// Random gives the jitter, in [0,1): math/rand.
	Random func() float64
}

// Limits says how long a download bears silence. Times are measured by the clock,
// and only while the step waits for the server: a slow disk does not count, nor does the
// wait for the bandwidth. How long connecting may take is fetch.Config.Connect.
type Limits struct {
	// Answer bounds the wait for the header of an answer, TLS handshake
	// included, for each redirect anew: 30 s.
	Answer time.Duration
	// Idle bounds the wait for the next byte: 30 s.
	Idle time.Duration
	// A connection that brings less than SlowBytes a second over SlowTime is
	// given up: 100 B/s over 60 s.
	SlowBytes int64
	SlowTime  time.Duration
	// The wait before the next try begins at BackoffMin (1 s) and doubles up to
	// BackoffMax (5 min); RetryAfterMax (1 h) bounds what a server may ask for.
	BackoffMin, BackoffMax, RetryAfterMax time.Duration
	// Redirects is the longest chain followed: 10.
	Redirects int
	// Faults is how many unusable answers in a row the step accepts before it gives
	// the source up: 10. Outages are not counted.
	Faults int
}

// bufferSize is the size of the one buffer: large enough that the cost of system calls
// does not matter.
const bufferSize = 256 << 10

func (c Config) withDefaults() Config {
	setDefault(&c.MaxSize, 8<<30)
	setDefault(&c.CheckpointTime, 2*time.Second)
	setDefault(&c.CheckpointBytes, 4<<20)
	setDefault(&c.Limits.Answer, 30*time.Second)
	setDefault(&c.Limits.Idle, 30*time.Second)
	setDefault(&c.Limits.SlowBytes, 100)
	setDefault(&c.Limits.SlowTime, 60*time.Second)
	setDefault(&c.Limits.BackoffMin, time.Second)
	setDefault(&c.Limits.BackoffMax, 5*time.Minute)
	setDefault(&c.Limits.RetryAfterMax, time.Hour)
	setDefault(&c.Limits.Redirects, 10)
	setDefault(&c.Limits.Faults, 10)
	setDefault(&c.Version, "unknown")
	setDefault(&c.Log, slog.Default())
	if c.Web == nil {
		c.Web = fetch.New(fetch.Config{Clock: c.Clock})
	}
	if c.Preflight == nil {
		c.Preflight = disk.Preflight
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Step downloads. Safe for concurrent use; it keeps nothing between runs.
type Step struct{ cfg Config }

var _ steps.Step = (*Step)(nil)

// New makes the step. cfg.Clock must be set.
func New(cfg Config) *Step { return &Step{cfg: cfg.withDefaults()} }

// Probe implements steps.Step. A whole bundle whose digest the journal does not
// have yet is Partly: Do reads the digest from the disk, not from the network.
func (s *Step) Probe(_ context.Context, t *steps.Task) (steps.Reach, error) {
	info, err := os.Lstat(filepath.Join(t.WorkDir, bundle.FileName))
	switch {
	case err == nil:
		_, lacking := os.Lstat(filepath.Join(t.WorkDir, bundle.LackingFile))
		if t.Facts.Download != nil && errors.Is(lacking, fs.ErrNotExist) && info.Mode().IsRegular() && (t.Source.Size == 0 || info.Size() == t.Source.Size) {
			// Its bytes were synced before it had this name. The name, and that no
			// list of lacking contents is there, may be in the cache only: the process
			// that saw to it may have been killed.
			return steps.Done, steps.FromOS(disk.SyncDir(t.WorkDir), "cannot keep the bundle's name")
		}
		return steps.Partly, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", steps.FromOS(err, "cannot look for the bundle")
	}
	switch _, err := os.Lstat(filepath.Join(t.WorkDir, PartFile)); {
	case err == nil:
		return steps.Partly, nil
	case errors.Is(err, fs.ErrNotExist):
		return steps.NotStarted, nil
	default:
		return "", steps.FromOS(err, "cannot look for the unfinished bundle")
	}
}

// Do implements steps.Step. It returns Evidence, in part also with an error.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	r := newRun(s.cfg, t)
	defer r.close()
	err := background.Run(func() error { return r.do(ctx) })
	out := steps.Outcome{Evidence: r.evidence()}
	if err != nil {
		return out, r.verdict(ctx, err)
	}
	if out.Release = r.release; r.fetched.Digest == "" {
		out.Release = steps.Release{Digest: "md5:" + r.fetched.MD5}
	}
	return out, nil
}

// Undo implements steps.Step. What was fetched of a bundle that is not whole goes to the
// shelf, for the next update to the same release.
func (s *Step) Undo(_ context.Context, t *steps.Task) error {
	if err := (shelf{s.cfg.Shelf}).put(t); err != nil {
		// It is fetched again then; the update's end does not depend on it.
		s.cfg.Log.Warn("cannot keep what was fetched", "update", t.Update, "error", err)
	}
	for _, name := range []string{PartFile, bundle.FileName, bundle.PlanFile, bundle.LackingFile} {
		if err := os.Remove(filepath.Join(t.WorkDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return steps.FromOS(err, "cannot remove the download")
		}
	}
	// If the power goes before the sync, the files may come back. The next Undo, or
	// the removal of the update's directory, removes them again.
	if err := disk.SyncDir(t.WorkDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return steps.FromOS(err, "cannot remove the download")
	}
	return nil
}
