package download

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// FuzzNotes goes on from any note: the update's own in the journal, or the one that lies
// beside a part on the shelf. The step ends, and brings the bundle; a note that cannot be
// true costs a request, never the process.
func FuzzNotes(f *testing.F) {
	h := published(8<<10, [2]int64{2 << 10, 1 << 10}, [2]int64{4 << 10, 512}, [2]int64{6 << 10, 2 << 10})
	dir := f.TempDir()
	path := filepath.Join(dir, "bundle.tope")
	require.NoError(f, os.WriteFile(path, h.b, 0o600))
	parts, err := h.Plan(context.Background(), nil, h.b[:headSize], true)
	require.NoError(f, err)
	key := keyOf(parts)
	for _, note := range []string{
		``, `{}`, `null`, `[1]`, `{"offset":-1}`, `{"offset":1024,"total":8192,"hash":"AAAA"}`,
		`{"offset":1024,"total":8192,"partial":{"key":"` + key + `","at":1,"within":0}}`,
		`{"offset":1024,"total":8192,"partial":{"key":"` + key + `","at":-1,"within":0}}`,
		`{"offset":1024,"total":8192,"partial":{"key":"` + key + `","at":3,"within":9}}`,
		`{"offset":1024,"total":1,"partial":{"key":"` + key + `","at":1,"within":-5,"sum":"AAAA"}}`,
		`{"offset":9223372036854775807,"total":-9,"single":true,"mark":{"etag":"x","strong":"x"},"place":"p","size":-1}`,
	} {
		f.Add([]byte(note), true, 8192)
		f.Add([]byte(note), false, 3000)
	}
	f.Fuzz(func(t *testing.T, note []byte, shelved bool, there int) {
		task := newTask(t, at(path))
		there = min(max(there, 0), len(h.b))
		cfg := func(c *Config) { c.Limits.Faults = 1 }
		if shelved {
			shelf := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(shelf, NoteFile), note, 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(shelf, PartFile), h.b[:there], 0o600))
			cfg = func(c *Config) { c.Shelf, c.Limits.Faults = shelf, 1 }
		} else {
			var own map[string]json.RawMessage
			if json.Unmarshal(note, &own) == nil && own != nil {
				require.NoError(t, task.Notes.Save(own))
			}
			require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), h.b[:there], 0o600))
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errors.New("the step hangs"))
		defer cancel()
		out, err := partialStep(h, cfg).Do(ctx, stepstest.Again(task))
		if err != nil {
			// Only a note that no run can have left says that bytes are there which are not.
			var final *steps.Error
			require.ErrorAs(t, err, &final)
			require.NotEqual(t, steps.Interrupted, final.Class, "%v", err)
			return
		}
		require.Equal(t, "sha256:x", out.Release.Digest)
		if there == len(h.b) {
			requirePieces(t, h, task, out)
		}
	})
}
