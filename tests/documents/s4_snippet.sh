curl -X POST http://localhost:5000/api/payments/mpesa/initiate \
  -H "Authorization: Bearer YOUR_JWT_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "order_id": "your-order-uuid",
    "phone_number": "254708374149"
  }'

curl -X POST http://localhost:5000/api/payments/mpesa/query \
  -H "Authorization: Bearer YOUR_JWT_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"order_id": "your-order-uuid"}'

grep MPESA backend/.env

curl https://your-ngrok-url.ngrok-free.app/api/health

curl -X POST http://localhost:5000/api/payments/mpesa/query \
  -H "Authorization: Bearer TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"order_id": "ORDER_ID"}'

curl -X POST https://yourdomain.com/api/payments/mpesa/initiate \
  -H "Authorization: Bearer TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "order_id": "test-order-id",
    "phone_number": "254712345678"
  }'
