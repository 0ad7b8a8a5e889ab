// in_background repaired: it keeps what it polled before it commits that and polls again, and its table keeps a record
// that comes again once.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
)

type reading struct {
	Sensor string `json:"sensor_id"`
	Seq    int64  `json:"seq"`
}

const table = "CREATE TABLE IF NOT EXISTS readings (sensor_id text, seq bigint, PRIMARY KEY (sensor_id, seq))"

func keep(pool *pgxpool.Pool, records []*kgo.Record) {
	var sensors []string
	var seqs []int64
	for _, record := range records {
		var found reading
		if err := json.Unmarshal(record.Value, &found); err != nil {
			log.Fatal(err)
		}
		sensors, seqs = append(sensors, found.Sensor), append(seqs, found.Seq)
	}
	time.Sleep(2 * time.Second) // it asks another service about them
	insert := "INSERT INTO readings SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING"
	if _, err := pool.Exec(context.Background(), insert, sensors, seqs); err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Exec(ctx, table); err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP"), ",")...),
		kgo.ClientID(os.Getenv("KAFKA_CLIENT_ID")),
		kgo.ConsumerGroup(os.Getenv("KAFKA_GROUP")),
		kgo.ConsumeTopics(os.Getenv("KAFKA_TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for ctx.Err() == nil {
		if records := client.PollFetches(ctx).Records(); len(records) > 0 {
			keep(pool, records)
			if err := client.CommitRecords(ctx, records...); err != nil {
				log.Print("not committed: ", err) // the group moved: the next owner reads them again
			}
		}
	}
}
