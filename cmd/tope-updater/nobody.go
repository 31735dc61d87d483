package main

import (
	"context"

	"github.com/tope/updater/platform/service"
)

// nobody is the manager of a device on which somebody else runs the services,
// or nobody does: manager = "none". It agrees to everything and does nothing.
type nobody struct{}

func (nobody) Start(context.Context, service.Service) error    { return nil }
func (nobody) Stop(context.Context, service.Service) error     { return nil }
func (nobody) Restart(context.Context, service.Service) error  { return nil }
func (nobody) Reload(context.Context) error                    { return nil }
func (nobody) Stopping(context.Context) (bool, error)          { return false, nil }
func (nobody) Inhibit(context.Context, string) (func(), error) { return func() {}, nil }
func (nobody) Close() error                                    { return nil }

// Survey finds nothing.
func (nobody) Survey(context.Context, []service.Service) (service.Survey, error) {
	return service.Survey{}, nil
}

// Status of a service that a release names: there is no unit of that name here,
// so there is nothing to wait for.
func (nobody) Status(context.Context, service.Service) (service.Status, error) {
	return service.Status{Active: service.Stopped}, nil
}
