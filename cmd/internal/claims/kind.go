package claims

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
)

// updateVariable makes Shown write what it was shown.
const updateVariable = "TOPE_CLAIMS_UPDATE"

// Word is the name of something in the data, and what readers call it.
type Word struct{ ID, English, Chinese string }

// Kind is one table of claims.
type Kind struct {
	// Name names the file docs/claims/NAME.json and the places in the pages.
	Name string
	// Head is what the rows are.
	Head Word
	// Facts are what a row tells of itself, and Checks what was played.
	Facts, Checks []Word
	// Names are rows that readers call something else than the data does.
	Names []Word
}

// Row is one system, and what was shown on it.
type Row struct {
	Name   string            `json:"name"`
	Facts  map[string]string `json:"facts"`
	Passed []string          `json:"passed"`
}

// table is a file of docs/claims.
type table struct {
	Rows []Row `json:"rows"`
}

func (k Kind) path() string {
	return filepath.Join(builttest.Top(), "docs/claims", k.Name+".json")
}

// Rows are what the table says now, in the order of the file.
func (k Kind) Rows(t testing.TB) []Row {
	t.Helper()
	var all table
	data, err := os.ReadFile(k.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &all), k.path())
	return all.Rows
}

// Shown compares a row with what was shown just now: it fails the test when the
// table claims more, also in its facts. With TOPE_CLAIMS_UPDATE=1 it makes the
// table say what was shown. Several test programs may not do so at once.
func (k Kind) Shown(t testing.TB, row Row) {
	t.Helper()
	rows := k.Rows(t)
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == row.Name })
	if os.Getenv(updateVariable) == "" {
		if i >= 0 {
			require.Equal(t, rows[i].Facts, row.Facts, "%s: the table of %s says otherwise", row.Name, k.Name)
			require.Subset(t, row.Passed, rows[i].Passed, "%s: the table of %s claims more than was shown", row.Name, k.Name)
		}
		return
	}
	if i < 0 {
		rows = append(rows, row)
	} else {
		rows[i] = row
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.MarshalIndent(table{Rows: rows}, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(k.path()), 0o755))
	require.NoError(t, os.WriteFile(k.path(), append(data, '\n'), 0o644))
}
