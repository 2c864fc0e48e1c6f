package main

import (
	"context"
	"errors"

	"time"

	"quorate/integration/lab"
)

func (b *bench) besideKeepalived(ctx context.Context, o lab.BedOptions, runs int, length time.Duration) error {
	return errors.New("not yet")
}
