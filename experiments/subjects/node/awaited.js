// not_awaited.js repaired: it inserts a batch and waits for that before its offsets are resolved, and the table keeps a
// record that comes again once.

const { Kafka } = require("kafkajs");
const { Pool } = require("pg");

const env = process.env;
const pool = new Pool({ connectionString: env.DATABASE_URL, max: 4 });
const kafka = new Kafka({ clientId: env.KAFKA_CLIENT_ID, brokers: env.KAFKA_BOOTSTRAP.split(",") });
const consumer = kafka.consumer({ groupId: env.KAFKA_GROUP, sessionTimeout: 6000, heartbeatInterval: 1000 });

async function keep(messages) {
  const readings = messages.map((message) => JSON.parse(message.value.toString()));
  await new Promise((done) => setTimeout(done, 2000)); // it asks another service about them
  await pool.query("INSERT INTO readings SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING", [
    readings.map((reading) => reading.sensor_id),
    readings.map((reading) => reading.seq),
  ]);
}

async function main() {
  await pool.query("CREATE TABLE IF NOT EXISTS readings (sensor_id text, seq bigint, PRIMARY KEY (sensor_id, seq))");
  await consumer.connect();
  await consumer.subscribe({ topic: env.KAFKA_TOPIC, fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: 6,
    eachBatch: async ({ batch }) => {
      await keep(batch.messages);
    },
  });
}

process.once("SIGTERM", async () => {
  await consumer.disconnect();
  process.exit(0);
});
main();
