package download

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/source/sourcetest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// The step reads the sources that the API and the engine let through.
func TestSources(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			src, err := newOrigin(Config{}, steps.Source{URL: source.New(c.URL)}, nil)
			switch {
			case c.Refused():
				require.Error(t, err)
				task := newTask(t, func(task *steps.Task) { task.Source.URL = source.New(c.URL) })
				text := stepstest.Fails(t, stepFor(newPatient()), task, steps.Unavailable, steps.DownloadFailed)
				require.NotContains(t, text, sourcetest.Secret)
			case c.Web:
				require.NoError(t, err)
				require.IsType(t, &httpSource{}, src)
			default:
				require.NoError(t, err)
				require.Equal(t, c.Path, src.(localSource).path)
			}
		})
	}
}
