package download

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// A device that takes nothing but the format with a head refuses any other file by its
// first bytes, whatever its name is, and whether its digest was declared or not.
func TestAClosedDeviceRefusesAtTheFirstBytes(t *testing.T) {
	b := bundleOf(8<<20, 3)
	for name, source := range map[string]func(url string) func(*steps.Task){
		"a name that tells nothing": func(url string) func(*steps.Task) { return at(url + "/x") },
		"a package by its name":     func(url string) func(*steps.Task) { return at(url + "/x.zip") },
		"with a declared digest":    func(url string) func(*steps.Task) { return from(url+"/x.zip", b) },
	} {
		t.Run(name, func(t *testing.T) {
			server := publish(t, always(b), nil)
			task := newTask(t, source(server.URL))
			step := partialStep(&halved{closed: true})
			require.Contains(t, stepstest.Fails(t, step, task, steps.Refused, steps.BadSignature), "takes no packages")
			require.Equal(t, []string{"0-511"}, server.asked())
			require.LessOrEqual(t, server.bytes(), int64(probeSize))
			requireNoBundle(t, task, 0)
		})
	}
}

// What a device has begun to fetch while it took packages is not fetched on.
func TestAClosedDeviceDoesNotGoOnWithAPackage(t *testing.T) {
	b := bundleOf(8<<20, 3)
	for name, c := range map[string]struct {
		size  int
		asked []string
	}{
		"a part": {4 << 20, nil}, "a few bytes": {100, []string{"0-511"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := publish(t, always(b), nil)
			task := newTask(t, from(server.URL+"/x.zip", b))
			require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), b[:c.size], 0o600))
			require.NoError(t, task.Notes.Save(checkpoint{Offset: int64(c.size), Total: int64(len(b))}))
			stepstest.Fails(t, partialStep(&halved{closed: true}), task, steps.Refused, steps.BadSignature)
			require.Equal(t, c.asked, server.asked())
		})
	}
}

// A bundle that a closed device takes costs two small requests more when its digest was
// declared, and none where the server has no ranges. One that it does not take is refused
// by its head.
func TestAClosedDeviceTakesItsOwn(t *testing.T) {
	h := published(1<<20, [2]int64{1 << 19, 100})
	h.closed = true
	for name, c := range map[string]struct {
		wrap  func(int, http.ResponseWriter, *http.Request) http.ResponseWriter
		asked []string
	}{
		"ranges": {nil, []string{"0-511", "512-1023", ""}},
		"none": {func(_ int, w http.ResponseWriter, r *http.Request) http.ResponseWriter {
			r.Header.Del("Range")
			return w
		}, []string{"0-511"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := publish(t, always(h.b), c.wrap)
			task := newTask(t, from(server.URL+"/x.zip", h.b))
			out, err := do(t, partialStep(h), task)
			require.NoError(t, err)
			requireBundle(t, task, h.b, out)
			require.Equal(t, c.asked, server.asked())
		})
	}

	h.refuse = refused(steps.BadSignature, "", "signed by nobody")
	server := publish(t, always(h.b), nil)
	task := newTask(t, from(server.URL+"/x.zip", h.b))
	require.Contains(t, stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.BadSignature), "signed by nobody")
	require.LessOrEqual(t, server.bytes(), int64(headSize))
}
