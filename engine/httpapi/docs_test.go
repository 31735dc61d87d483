package httpapi_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The manual has every route: the authors of most clients read nothing else.
func TestTheManualHasEveryRoute(t *testing.T) {
	manual, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	contract, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(contract, &doc))
	require.NotEmpty(t, doc.Paths)
	for path, methods := range doc.Paths {
		for method := range methods {
			if path == "/api/v2/openapi.json" {
				method, path = "", "`/api/v2/openapi.json"
			}
			require.Contains(t, string(manual), strings.TrimSpace(strings.ToUpper(method)+" "+path)+"`")
		}
	}
}

// The page about security names the tests that show what it says: there are such tests,
// and both languages name the same.
func TestSecurityIsShownByTestsThatThereAre(t *testing.T) {
	tests := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
		return err
	}))
	named := func(page string) []string {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		return regexp.MustCompile("`(Test\\w+)`").FindAllString(string(text), -1)
	}
	all := named("../../docs/security.md")
	require.NotEmpty(t, all)
	for _, name := range all {
		require.True(t, tests[strings.Trim(name, "`")], "there is no %s", name)
	}
	require.Equal(t, all, named("../../docs/zh/security.md"))
}
