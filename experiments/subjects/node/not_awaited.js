// A consumer with kafkajs that inserts each record into a table. BUG: nobody waits for the insert, so that the offset is
// committed when the handler returns, and what is not inserted yet when it is killed is lost. Its twin: awaited.js.

const { Kafka } = require("kafkajs");
const { Pool } = require("pg");

const env = process.env;
const pool = new Pool({ connectionString: env.DATABASE_URL, max: 4 });
const kafka = new Kafka({ clientId: env.KAFKA_CLIENT_ID, brokers: env.KAFKA_BOOTSTRAP.split(",") });
const consumer = kafka.consumer({ groupId: env.KAFKA_GROUP, sessionTimeout: 6000, heartbeatInterval: 1000 });

async function keep(message) {
  const reading = JSON.parse(message.value.toString());
  await new Promise((done) => setTimeout(done, 2000)); // it asks another service about it
  await pool.query("INSERT INTO readings VALUES ($1, $2) ON CONFLICT DO NOTHING", [reading.sensor_id, reading.seq]);
}

async function main() {
  await pool.query("CREATE TABLE IF NOT EXISTS readings (sensor_id text, seq bigint, PRIMARY KEY (sensor_id, seq))");
  await consumer.connect();
  await consumer.subscribe({ topic: env.KAFKA_TOPIC, fromBeginning: true });
  await consumer.run({
    autoCommitInterval: 200,
    eachMessage: async ({ message }) => {
      keep(message);
    },
  });
}

process.once("SIGTERM", async () => {
  await consumer.disconnect();
  process.exit(0);
});
main();
