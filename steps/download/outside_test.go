package download

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutside: a daemon with a /tmp of its own finds the operator's bundle.
func TestOutside(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	bundle := filepath.Join(dir, "tmp/a.tope")
	cfg := Config{Outside: outside}
	require.Equal(t, bundle, newLocalSource(cfg, bundle).path, "it is nowhere")
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(outside, bundle)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(outside, bundle), nil, 0o644))
	require.Equal(t, filepath.Join(outside, bundle), newLocalSource(cfg, bundle).path)
	require.NoError(t, os.MkdirAll(filepath.Dir(bundle), 0o755))
	require.NoError(t, os.WriteFile(bundle, nil, 0o644))
	require.Equal(t, bundle, newLocalSource(cfg, bundle).path, "what it sees itself is meant")
	require.Equal(t, bundle, newLocalSource(Config{}, bundle).path)
}
