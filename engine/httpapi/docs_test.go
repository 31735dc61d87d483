package httpapi_test

import (
	"encoding/json"
	"os"
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
