package httpapi

import "net/http"

// Fail answers with an error as problem details, as the routes do. It is for the
// handler that answers while there is no engine.
func Fail(w http.ResponseWriter, err error) { problemOf(err).write(w) }
