package httpapi

import "net/http"

// Fail answers with an error as problem details, as the routes do. A server uses
// it while it has no engine and therefore no handler.
func Fail(w http.ResponseWriter, err error) { problemOf(err).write(w) }
