package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ends has the unexported errors that tell a caller in the same package what to do, each
// with the functions in which it is looked for. Nobody else may see such an error: it
// would be told as a failure. So it is better to return a value. What has to be an error
// all the same is listed here by somebody who has followed it to its end.
func ends() map[string][]string {
	return map[string][]string{
		"engine errCancel":               {"respond"},   // the cause of a context
		"engine errDeadline":             {"reason"},    // the cause of a context
		"engine errEnded":                {"Exclusive"}, // a failure of its own, too: its callers are told so
		"engine errPark":                 {"Install", "ask"},
		"engine/httpapi errMedia":        {"refuseBody"},
		"engine/httpapi errTooLarge":     {"refuseBody"},
		"journal errNoCopy":              {"PutBack"},
		"journal errReaders":             {"openLocked"},
		"journal errStop":                {"run"},
		"platform/fetch errConnect":      {"dial"}, // the cause of a context
		"platform/unitfiles errUnfit":    {"CheckTexts", "carried"},
		"steps/bundle/legacyzip errStop": {"Entries"},
		"steps/healthcheck errCertain":   {"unfinished"}, // the cause of a context
	}
}

// TestSentinelsEnd: an unexported error that code looks for is listed with where it ends.
func TestSentinelsEnd(t *testing.T) {
	found := map[string][]string{}
	for _, s := range list(t, "./...") {
		if isTest(path(s.ImportPath)) || layer(path(s.ImportPath)) == 0 {
			continue // tests, and programs, which are the end of all errors
		}
		for name, where := range sentinels(t, s) {
			found[path(s.ImportPath)+" "+name] = where
		}
	}
	names := slices.Sorted(maps.Keys(found))
	for _, name := range names {
		want, listed := ends()[name]
		if !listed {
			t.Errorf("%s is looked for in %q: return a value in its place, or follow it to its end and list it", name, found[name])
			continue
		}
		if !slices.Equal(want, found[name]) {
			t.Errorf("%s is looked for in %q, and listed with %q", name, found[name], want)
		}
	}
	for name := range ends() {
		require.Contains(t, found, name, "it is not looked for any more")
	}
}

// sentinels are the unexported errors of a package that it looks for by errors.Is, each
// with the functions that do so.
func sentinels(t *testing.T, s source) map[string][]string {
	t.Helper()
	var files []*ast.File
	for _, name := range s.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(s.Dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	found := map[string][]string{}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if name := lookedFor(n); name != "" && !slices.Contains(found[name], fn.Name.Name) {
					found[name] = append(found[name], fn.Name.Name)
				}
				return true
			})
		}
	}
	for _, where := range found {
		slices.Sort(where)
	}
	return found
}

// lookedFor is the unexported error that a call of errors.Is looks for; "" for none.
func lookedFor(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return ""
	}
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fn.Sel.Name != "Is" {
		return ""
	}
	pkg, ok := fn.X.(*ast.Ident)
	what, named := call.Args[1].(*ast.Ident)
	if !ok || !named || pkg.Name != "errors" || !strings.HasPrefix(what.Name, "err") || what.Name == "err" {
		return ""
	}
	return what.Name
}
