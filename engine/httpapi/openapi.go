package httpapi

import (
	_ "embed"
	"net/http"
)

// openapi.json describes every route; openapi_test.go holds both to each other.
//
//go:embed openapi.json
var openapiJSON []byte

func (a *api) openAPI(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, openapiJSON)
}
