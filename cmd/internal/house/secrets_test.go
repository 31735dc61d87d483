package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// revealing has each function that takes the secrets out of a source.URL, and what it
// does with them. Nobody else may: what is not here cannot print, log or journal one.
func revealing() map[string]string {
	return map[string]string{
		"cmd/tope-updater KeepSource":           "writes the file of mode 0600 that a resume needs",
		"engine/httpapi/client Install":         "sends it to the daemon, over the socket",
		"steps/download request":                "asks the server",
		"platform/ddi/ddiplay part":             "asks the server",
		"engine/fleet/hawkbit/hawkbitplay part": "asks the server",
		"platform/source Len":                   "looks at its length",
		"platform/source Equal":                 "compares",
		"platform/source HasSecrets":            "compares",
		"platform/source Parse":                 "judges it, and returns no secret",
		"platform/source Redacted":              "leaves them out",
		"engine/enginetest download":            "a fake",
	}
}

// TestSecretsOfURLs: the functions that see the secrets of a source.URL are those above.
// The method's name is nobody else's, so its selector shows who uses it.
func TestSecretsOfURLs(t *testing.T) {
	found := map[string]string{}
	for _, s := range list(t, "./...") {
		for _, name := range s.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(s.Dir, name), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range f.Decls {
				where := "a declaration in " + name
				if fn, ok := d.(*ast.FuncDecl); ok {
					where = fn.Name.Name
				}
				ast.Inspect(d, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Unredacted" {
						found[path(s.ImportPath)+" "+where] = ""
					}
					return true
				})
			}
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(revealing())), slices.Sorted(maps.Keys(found)))
}
