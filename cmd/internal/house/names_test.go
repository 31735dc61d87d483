package house_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuidesNameFilesThatExist: a guide that names a Go file sends its reader there.
func TestGuidesNameFilesThatExist(t *testing.T) {
	top, err := filepath.Abs("../../..")
	require.NoError(t, err)
	files := append(proseFiles(t, top), "cmd/internal/house/words_test.go")
	named := regexp.MustCompile("`([a-z_/]+\\.go)`")
	for _, guide := range files {
		if filepath.Ext(guide) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(top, guide))
		require.NoError(t, err)
		for _, name := range named.FindAllStringSubmatch(string(text), -1) {
			there := false
			for _, file := range files {
				there = there || strings.HasSuffix("/"+file, "/"+name[1])
			}
			require.True(t, there, "%s names %s", guide, name[1])
		}
	}
}
