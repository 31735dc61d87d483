// Package secrettest tries whether a value of a kind that must not be printed is printed.
package secrettest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

// holder has a value in every way in which a struct can.
type holder[T any] struct {
	Open   T `toml:"open"`
	hidden T
	Map    map[string]T `toml:"map"`
	List   []T
	Deep   *holder[T]
	any    any
}

// Printed is all that Go's ways to print a value make of v, by itself and at each depth of
// other values: fmt with every verb, JSON, TOML, log/slog, and an error that names it.
func Printed[T any](t *testing.T, v T) string {
	t.Helper()
	h := holder[T]{Open: v, hidden: v, Map: map[string]T{"k": v}, List: []T{v}, Deep: &holder[T]{hidden: v}, any: v}
	var printed strings.Builder
	for _, v := range []any{v, &v, h, &h, []any{v, h}, map[string]any{"a": h}, struct{ unexported T }{v}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%c", "%U", "%T", "%10.3s"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		fmt.Fprintln(&printed, v)
		b, err := json.Marshal(v)
		require.NoError(t, err)
		printed.Write(b)
		var buf bytes.Buffer
		slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "v", v, slog.Any("w", v))
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "v", v)
		printed.Write(buf.Bytes())
	}
	fmt.Fprintln(&printed, fmt.Errorf("cannot use %v: %w", v, errors.New("x")))
	require.NoError(t, toml.NewEncoder(&printed).Encode(map[string]any{"v": v}))
	return printed.String()
}
