package download

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

func TestLocalFiles(t *testing.T) {
	b := bundleOf(300_000, 1)
	dir := filepath.Join(t.TempDir(), "a b")
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "r.zip")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	require.NoError(t, os.Symlink(path, filepath.Join(dir, "link")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))

	for name, url := range map[string]string{
		"absolute path":  path,
		"file URL":       "file://" + dir[:len(dir)-3] + "a%20b/r.zip",
		"with localhost": "file://localhost" + dir[:len(dir)-3] + "a%20b/r.zip",
		"through a link": filepath.Join(dir, "link"),
		"not clean":      dir + "/./../a b/r.zip",
	} {
		t.Run(name, func(t *testing.T) {
			for _, declare := range []func(*steps.Task){from(url, b), func(t *steps.Task) { t.Source.URL = source.New(url) }} {
				task := newTask(t, declare)
				out, err := do(t, stepFor(newPatient()), task)
				require.NoError(t, err)
				ev := requireBundle(t, task, b, out)
				require.Empty(t, ev.Events)
			}
		})
	}
	for name, c := range map[string]struct {
		url, text string
		class     steps.Class
		code      steps.Code
	}{
		"missing":             {dir + "/nope.zip", "no such file", steps.Unavailable, steps.DownloadFailed},
		"a directory":         {dir, "not a regular file", steps.Unavailable, steps.DownloadFailed},
		"a FIFO":              {dir + "/fifo", "not a regular file", steps.Unavailable, steps.DownloadFailed},
		"a device":            {"/dev/zero", "not a regular file", steps.Unavailable, steps.DownloadFailed},
		"empty":               {dir + "/empty", "0 bytes, 300000 were declared", steps.Refused, steps.SizeMismatch},
		"empty, in short":     {dir + "/empty", "copy it there completely", steps.Refused, steps.SizeMismatch},
		"relative":            {"r.zip", "neither an http, https or file URL nor an absolute path", steps.Unavailable, steps.DownloadFailed},
		"on another host":     {"file://elsewhere/r.zip", "not a file of this device", steps.Unavailable, steps.DownloadFailed},
		"relative in a URL":   {"file:r.zip", "not the URL of an absolute path", steps.Unavailable, steps.DownloadFailed},
		"another scheme":      {"ftp://127.0.0.1/r.zip", "https://HOST/PATH or /PATH", steps.Unavailable, steps.DownloadFailed},
		"no host":             {"http:///r.zip", "names no host", steps.Unavailable, steps.DownloadFailed},
		"unreadable URL":      {"http://[::1/r.zip", "the URL cannot be parsed", steps.Unavailable, steps.DownloadFailed},
		"nothing at all":      {"", "no bundle was named", steps.Unavailable, steps.DownloadFailed},
		"an unknown scheme":   {"data:text/plain,hello", "neither an http, https or file URL", steps.Unavailable, steps.DownloadFailed},
		"a password in a URL": {"http://me:secret@/r.zip", "names no host", steps.Unavailable, steps.DownloadFailed},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t, from(c.url, b))
			text := stepstest.Fails(t, stepFor(newPatient()), task, c.class, c.code)
			require.Contains(t, text, c.text)
			require.NotContains(t, text, "secret")
			require.NotContains(t, text, "server")
			if filepath.IsAbs(c.url) {
				require.Contains(t, text, "cannot copy "+c.url)
			}
			requireNoBundle(t, task, 0)
		})
	}
}

// TestLocalFileResumes: the copy of the same file goes on from the checkpoint; that of
// another file under its name begins again.
func TestLocalFileResumes(t *testing.T) {
	b := bundleOf(300_000, 1)
	for name, c := range map[string]struct {
		touch   func(path string) error
		resumed int64
		events  []string
	}{
		"the same":    {func(string) error { return nil }, 100_000, nil},
		"another one": {func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) }, 0, []string{fileChanged}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.zip")
			require.NoError(t, os.WriteFile(path, b, 0o600))
			info, err := os.Stat(path)
			require.NoError(t, err)
			task := newTask(t, from(path, b))
			require.NoError(t, task.Notes.Save(checkpoint{Offset: 100_000, Total: 300_000, states: states{Hash: stateOf(b[:100_000])}, Mark: markOfFile(info)}))
			require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), b[:100_000], 0o600))
			require.NoError(t, c.touch(path))
			out, err := do(t, stepFor(newPatient()), task)
			require.NoError(t, err)
			ev := requireBundle(t, task, b, out)
			require.Equal(t, c.resumed, ev.ResumedBytes)
			require.Equal(t, c.events, kinds(ev))
		})
	}
}

// meddler changes a file at the first checkpoint of the step that copies it.
type meddler struct {
	*stepstest.Notes
	meddle func()
}

func (m *meddler) Save(v any) error {
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
	return m.Notes.Save(v)
}

func TestLocalFileChangesWhileCopied(t *testing.T) {
	b := bundleOf(2<<20-100, 1) // its end lies within a read
	for name, c := range map[string]struct {
		meddle func(path string) error
		text   string
	}{
		"shorter":  {func(path string) error { return os.Truncate(path, 1000) }, "became shorter while it was copied"},
		"longer":   {func(path string) error { return os.Truncate(path, 3<<20) }, "changed while it was copied"},
		"replaced": {func(path string) error { return os.Rename(path+".new", path) }, "changed while it was copied"},
		"removed":  {os.Remove, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.zip")
			require.NoError(t, os.WriteFile(path, b, 0o600))
			require.NoError(t, os.WriteFile(path+".new", b[1:], 0o600))
			task := newTask(t, func(task *steps.Task) { task.Source.URL = source.New(path) })
			task.Notes = &meddler{stepstest.NewNotes(), func() { require.NoError(t, c.meddle(path)) }}
			step := stepFor(newPatient(), func(c *Config) { c.CheckpointBytes, c.CheckpointTime = 1, -1 })
			text := stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
			require.Contains(t, text, c.text)
			require.NotContains(t, text, "server")
			requireNoBundle(t, task, int64(len(b)))
		})
	}
}

// TestALocalBundleThatBecomesShorter ends the step at once: nobody is to be waited for.
func TestALocalBundleThatBecomesShorter(t *testing.T) {
	for name, size := range map[string]int64{"before the next piece": 400_000, "within the next piece": 750_000} {
		t.Run(name, func(t *testing.T) {
			h := published(900_000, [2]int64{2000, 100_000}, [2]int64{700_000, 100_000})
			path := filepath.Join(t.TempDir(), "r.tope")
			require.NoError(t, os.WriteFile(path, h.b, 0o600))
			task := newTask(t, at(path))
			task.Notes = &meddler{stepstest.NewNotes(), func() { require.NoError(t, os.Truncate(path, size)) }}
			step := partialStep(h, func(c *Config) { c.CheckpointBytes, c.CheckpointTime = 1, -1 })
			text := stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
			require.Contains(t, text, "became shorter while it was read")
			require.Zero(t, task.Meter.Pause(), "it waited")
		})
	}
}
