package download

import (
	"crypto/md5"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// BenchmarkDownload compares the step ("step") with the least work possible ("bare"):
// stream to a file with MD5, then fsync.
func BenchmarkDownload(b *testing.B) {
	content := bundleOf(64<<20, 1)
	dir := b.TempDir()
	path := filepath.Join(dir, "published")
	require.NoError(b, os.WriteFile(path, content, 0o600))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		http.ServeFile(w, r, path)
	}))
	defer server.Close()

	b.Run("bare", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			resp, err := http.Get(server.URL)
			require.NoError(b, err)
			f, err := os.Create(filepath.Join(dir, "bare"))
			require.NoError(b, err)
			_, err = io.Copy(io.MultiWriter(f, md5.New()), resp.Body)
			require.NoError(b, err)
			require.NoError(b, f.Sync())
			require.NoError(b, f.Close())
			require.NoError(b, resp.Body.Close())
			require.NoError(b, os.Remove(f.Name()))
		}
	})
	b.Run("step", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		b.ReportAllocs()
		step := New(Config{Clock: clock.System(), Log: quiet()})
		declared := steps.Source{URL: source.New(server.URL), Size: int64(len(content)), MD5: sum(content)}
		for b.Loop() {
			task := stepstest.Task(b, func(t *steps.Task) { t.Source, t.WorkDir = declared, dir })
			_, err := step.Do(b.Context(), task)
			require.NoError(b, err)
			require.NoError(b, step.Undo(b.Context(), task))
		}
	})
}
