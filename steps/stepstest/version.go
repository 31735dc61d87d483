package stepstest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
)

// Publish installs a version through the store, with these executable files
// and what it brings.
func Publish(t testing.TB, store *versions.Store, version string, programs map[string]string, brought versions.Brought) {
	t.Helper()
	update := "publish-" + strings.ReplaceAll(version, ".", "-")
	m := &versions.Manifest{Version: version, Digest: "md5:" + version, Brought: brought}
	for path, content := range programs {
		host := filepath.Join(store.Staging(update), path)
		require.NoError(t, os.MkdirAll(filepath.Dir(host), 0o755))
		require.NoError(t, os.WriteFile(host, []byte(content), 0o755))
		sum := sha256.Sum256([]byte(content))
		m.Files = append(m.Files, versions.File{
			Path: path, Type: versions.TypeFile, Mode: 0o555, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	require.NoError(t, store.Publish(context.Background(), update, m))
}
