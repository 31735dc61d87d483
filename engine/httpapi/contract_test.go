package httpapi_test

import (
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// The types that implement the API's interfaces in the device program.
var (
	_ httpapi.Engine   = (*engine.Engine)(nil)
	_ httpapi.Journal  = (*journal.Journal)(nil)
	_ httpapi.Versions = (*versions.Store)(nil)
)
