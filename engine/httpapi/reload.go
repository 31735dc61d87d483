package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tope/updater/engine"
)

// ErrConfiguration says that the new configuration, or the keys, cannot be used; those from
// before stay in force.
var ErrConfiguration = errors.New("the configuration cannot be used")

// reload has the daemon read its configuration and keys anew. They are in force when
// it is answered.
func (a *api) reload(w http.ResponseWriter, r *http.Request) error {
	if err := readNothing(r); err != nil {
		return err
	}
	if a.Reload == nil {
		return fmt.Errorf("%w: no daemon runs", engine.ErrNothingToDo)
	}
	wait(w)
	said, err := a.Reload(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, said)
}
