package house_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxUpward is how many arrows may point up between the files of the engine.
const maxUpward = 0

// TestTheFilesOfTheEngineAreALadder: the package comment of engine lists its
// files from top to bottom, and a file uses what those below it declare.
//
// There is an arrow from one file to another when it uses anything that the other
// declares: a type, a function, a method, a field, a constant. However much it
// uses, that is one arrow. It points up when the other file is listed above.
func TestTheFilesOfTheEngineAreALadder(t *testing.T) {
	files, used := uses(t, "./engine")
	order := listed(t, files["doc.go"])
	for name := range files {
		if name != "doc.go" {
			require.Contains(t, order, name, "engine/doc.go does not list it")
		}
	}
	require.Len(t, order, len(files)-1, "engine/doc.go lists a file that is not there, or one twice")
	var up []string
	for arrow, names := range used {
		if slices.Index(order, arrow.to) < slices.Index(order, arrow.from) {
			up = append(up, fmt.Sprintf("%s → %s (%s)", arrow.from, arrow.to, strings.Join(names, ", ")))
		}
	}
	slices.Sort(up)
	require.LessOrEqual(t, len(up), maxUpward, "%d of %d arrows point up, %d may:\n%s", len(up), len(used), maxUpward, strings.Join(up, "\n"))
}

// arrow is the use, in one file of a package, of what another one declares.
type arrow struct{ from, to string }

// uses are the files of a package and the arrows between them, each with the names that make it.
func uses(t *testing.T, pattern string) (map[string]*ast.File, map[arrow][]string) {
	t.Helper()
	// The build cache has the compiled form of the imported packages.
	exports := map[string]string{}
	var pkg source
	for _, s := range list(t, "-export", "-deps", pattern) {
		exports[s.ImportPath] = s.Export
		pkg = s // the last one is the package itself
	}
	fset, files := token.NewFileSet(), map[string]*ast.File{}
	var all []*ast.File
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(pkg.Dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files[name] = file
		all = append(all, file)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	_, err := conf.Check(pkg.ImportPath, fset, all, info)
	require.NoError(t, err)
	file := func(p token.Pos) string { return filepath.Base(fset.Position(p).Filename) }
	used := map[arrow][]string{}
	for id, object := range info.Uses {
		a := arrow{from: file(id.Pos()), to: file(object.Pos())}
		if files[a.to] != nil && object.Pkg().Path() == pkg.ImportPath && a.from != a.to && !slices.Contains(used[a], object.Name()) {
			used[a] = append(used[a], object.Name())
		}
	}
	for _, names := range used {
		slices.Sort(names)
	}
	return files, used
}

// listed is the files that a package comment lists, in its order.
func listed(t *testing.T, doc *ast.File) (names []string) {
	t.Helper()
	require.NotNil(t, doc)
	for line := range strings.Lines(doc.Doc.Text()) {
		item, ok := strings.CutPrefix(strings.TrimSpace(line), "- ")
		head, _, colon := strings.Cut(item, ":")
		if !ok || !colon {
			continue
		}
		for name := range strings.SplitSeq(head, ",") {
			if name = strings.TrimSpace(name); strings.HasSuffix(name, ".go") {
				names = append(names, name)
			}
		}
	}
	require.NotEmpty(t, names, "the package comment lists no files")
	return names
}
